package conformance

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// checkAnswer compares an answer with what the document says of the operation.
func (c *Checker) checkAnswer(op *operation, e Exchange) error {
	answer, err := c.answerOf(op, e.Status)
	if err != nil {
		return err
	}

	if err := c.checkParts(answer, e); err != nil {
		return fmt.Errorf("answer %d: %w", e.Status, err)
	}

	return nil
}

func (c *Checker) checkParts(answer *response, e Exchange) error {
	return errors.Join(checkHeaders(answer, e.Answer.Header), c.checkContent(answer, e))
}

// commonHeaders are those of HTTP itself, which documents do not describe (RFC 9110, RFC 9111, RFC 9112, Fetch), and what answers of
// any kind may have. The limits are described once, in their newer form.
var commonHeaders = []string{ //nolint:gochecknoglobals // A list that is never changed.
	"Content-Type", "Content-Length", "Content-Encoding", "Date", "Vary", "Connection", "Transfer-Encoding", "Trailer",
	"X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "Accept-Ranges", "Content-Disposition",
	"Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset",
}

func common(name string) bool {
	return slices.Contains(commonHeaders, name) || strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, http.TrailerPrefix)
}

// checkHeaders tells of headers that are missing, wrong or not described.
func checkHeaders(answer *response, header http.Header) error {
	var faults []error

	described := map[string]bool{}

	for name, p := range answer.headers {
		canonical := http.CanonicalHeaderKey(name)
		described[canonical] = true

		switch values := header[canonical]; {
		case len(values) > 0:
			if err := p.valid(values[:1]); err != nil {
				faults = append(faults, fmt.Errorf("the header %s %w", name, err))
			}
		case p.required:
			faults = append(faults, fmt.Errorf("the header %s is missing", name))
		}
	}

	for name := range header {
		if !described[name] && !common(name) {
			faults = append(faults, fmt.Errorf("the header %s is not in the document", name))
		}
	}

	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })

	return errors.Join(faults...)
}

// checkContent compares the body of an answer with the schema for its media type.
func (c *Checker) checkContent(answer *response, e Exchange) error {
	if e.Method == http.MethodHead || e.Status == http.StatusNotModified || e.Status == http.StatusNoContent {
		if len(e.Answer.Body) > 0 {
			return fmt.Errorf("there is a body where there can be none: %q", e.Answer.Body)
		}

		return nil
	}

	declared := e.Answer.Header.Get("Content-Type")

	if len(answer.content) == 0 {
		if len(e.Answer.Body) > 0 {
			return fmt.Errorf("there is a body where the document has none: %s", declared)
		}

		return nil
	}

	mediaType, _, err := mime.ParseMediaType(declared)
	if err != nil {
		return fmt.Errorf("the media type %q is not valid: %w", declared, err)
	}

	form := pick(answer.content, mediaType)
	if form == nil {
		return fmt.Errorf("the media type %s is not in the document", mediaType)
	}

	body, err := decoded(e.Answer)
	if err != nil {
		return err
	}

	return c.checkBody(form, mediaType, body, e.Answer.Partial)
}

// pick returns the form for a media type; nil if there is none.
func pick(forms map[string]*media, mediaType string) *media {
	if form := forms[mediaType]; form != nil {
		return form
	}

	// What streams of lines are called is not settled.
	if mediaType == "application/ndjson" || mediaType == "application/jsonl" {
		return forms[mediaNDJSON]
	}

	return forms["*/*"]
}

// Media types with a form that is checked.
const (
	mediaNDJSON = "application/x-ndjson"
	mediaSSE    = "text/event-stream"
)

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

func (c *Checker) checkBody(form *media, mediaType string, body []byte, partial bool) error {
	switch {
	case mediaType == mediaSSE && form.item != nil:
		return c.checkEvents(form, body, partial)
	case form.item != nil:
		return c.checkLines(form, body, partial)
	case !isJSON(mediaType) || form.schema == nil || partial:
		return nil
	}

	value, err := parse(body)
	if err != nil {
		return fmt.Errorf("the body %w: %.100q", err, body)
	}

	return validate(form.schema, value)
}
