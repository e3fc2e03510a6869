package conformance

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Where parameters are.
const (
	inPath   = "path"
	inQuery  = "query"
	inHeader = "header"
)

// emptyBody is what may be sent to an operation without a body, and says nothing.
var emptyBody = regexp.MustCompile(`^\s*(\{\s*\}|null)?\s*$`)

func unexpected(body []byte) error {
	if emptyBody.Match(body) {
		return nil
	}

	return errors.New("there is a body that the document does not know")
}

// checkRequest tells why the document does not allow a request, which was accepted. The gateway understands more spellings of a
// request than the document names; if one of them was used, it is the canonical one that counts.
func (c *Checker) checkRequest(op *operation, e Exchange) error {
	err := errors.Join(c.checkPath(op, e), c.checkQuery(op, e), checkRequestHeaders(op, e), c.checkRequestBody(op, e))
	if err != nil {
		return fmt.Errorf("accepted with %d, but not allowed: %w", e.Status, err)
	}

	return nil
}

func (o *operation) parameter(in, name string) *parameter {
	for _, p := range o.params {
		if p.in == in && (p.name == name || in == inHeader && strings.EqualFold(p.name, name)) {
			return p
		}
	}

	return nil
}

func (c *Checker) checkPath(op *operation, e Exchange) error {
	var faults []error

	for name, value := range op.path.values(e.Path) {
		p := op.parameter(inPath, name)
		if p == nil {
			faults = append(faults, fmt.Errorf("the path variable %s has no parameter", name))

			continue
		}

		err := p.valid([]string{value})
		if err != nil && op.binding.canonical(p, cmp.Or(p.field, name), []string{value}) != nil {
			faults = append(faults, fmt.Errorf("the path parameter %s: %w", name, err))
		}
	}

	return errors.Join(faults...)
}

func (c *Checker) checkQuery(op *operation, e Exchange) error {
	values, err := url.ParseQuery(e.Query)
	if err != nil {
		return fmt.Errorf("the query: %w", err)
	}

	var faults []error

	there := map[*parameter]bool{}

	for _, name := range slices.Sorted(maps.Keys(values)) {
		p, err := c.checkParameter(op, name, values[name])
		if err != nil {
			faults = append(faults, fmt.Errorf("the query parameter %s: %w", name, err))
		}

		there[p] = true
	}

	for _, p := range op.params {
		if p.in == inQuery && p.required && !there[p] {
			faults = append(faults, fmt.Errorf("the query parameter %s is missing", p.name))
		}
	}

	return errors.Join(faults...)
}

var errUnknown = errors.New("is not in the document")

// checkParameter finds the parameter that a name in the query stands for, and checks its values.
func (c *Checker) checkParameter(op *operation, name string, values []string) (*parameter, error) {
	p := op.parameter(inQuery, name)

	if plain, key, keyed := cutKey(name); keyed {
		p = op.parameter(inQuery, plain)
		if p != nil && p.keyed {
			err := p.validText(values[0], func(value any) any { return map[string]any{key: value} })
			if err != nil && op.binding.canonical(p, name, values) == nil {
				err = nil
			}

			return p, err
		}
	}

	if p == nil {
		p = op.binding.same(op, name)
	}

	switch {
	case p == nil && op.binding.recursive(name):
		return nil, nil //nolint:nilnil // A document would have no end.
	case p == nil && slices.ContainsFunc(c.ignored, func(beginning string) bool { return strings.HasPrefix(name, beginning) }):
		return nil, nil //nolint:nilnil // It is no parameter, and may be there.
	case p == nil:
		return nil, errUnknown
	}

	err := p.valid(values)
	if err != nil && op.binding.canonical(p, name, values) == nil {
		err = nil
	}

	return p, err
}

// cutKey takes the key of a map off a name.
func cutKey(name string) (plain, key string, keyed bool) {
	plain, key, found := strings.Cut(name, "[")
	key, closed := strings.CutSuffix(key, "]")

	return plain, key, found && closed
}

func checkRequestHeaders(op *operation, e Exchange) error {
	var faults []error

	for _, p := range op.params {
		if p.in != inHeader {
			continue
		}

		values := e.Request.Header[http.CanonicalHeaderKey(p.name)]

		switch {
		case len(values) == 0 && p.required:
			faults = append(faults, fmt.Errorf("the header %s is missing", p.name))
		case len(values) > 0:
			if err := p.valid(values[:1]); err != nil {
				faults = append(faults, fmt.Errorf("the header %s: %w", p.name, err))
			}
		}
	}

	return errors.Join(faults...)
}

func (c *Checker) checkRequestBody(op *operation, e Exchange) error {
	if e.Request.Partial {
		return nil
	}

	body := e.Request.Body

	switch {
	case len(body) == 0 && op.required:
		return errors.New("there is no body, which is required")
	case len(body) == 0:
		return nil
	case op.body == nil:
		return unexpected(body)
	}

	mediaType := mediaJSON

	if declared := e.Request.Header.Get("Content-Type"); declared != "" {
		var err error
		if mediaType, _, err = mime.ParseMediaType(declared); err != nil {
			return fmt.Errorf("the media type %q: %w", declared, err)
		}
	}

	form := pick(op.body, mediaType)
	if form == nil {
		return fmt.Errorf("the media type %s of the body is not in the document", mediaType)
	}

	body, err := decoded(e.Request)
	if err != nil {
		return err
	}

	// A stream of a single message, or of several, may go without the array's brackets.
	if lines := op.body[mediaNDJSON]; lines != nil && isJSON(mediaType) && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		form, mediaType = lines, mediaNDJSON
	}

	query, err := url.ParseQuery(e.Query)
	if err != nil {
		return fmt.Errorf("the query: %w", err)
	}

	return c.checkDocuments(op, form, mediaType, body, op.binding.named(query))
}

// checkDocuments compares the body as it is, or each of its messages in canonical form. Named is what a mask in the query names.
func (c *Checker) checkDocuments(op *operation, form *media, mediaType string, body []byte, named []string) error {
	err := c.checkBody(form, mediaType, body, false)
	if err == nil || op.binding == nil {
		return err
	}

	canonical, other := op.binding.body(mediaType, body, named)
	if other != nil {
		return fmt.Errorf("the body: %w (and has no canonical form: %w)", err, other)
	}

	var again error

	for _, text := range canonical {
		if again = c.checkBody(form, mediaType, text, false); again == nil {
			return nil
		}
	}

	return fmt.Errorf("the body: %w (in canonical form: %w)", err, again)
}
