// Package conformance compares what a gateway does with what its OpenAPI document says: of each exchange the answer, and the
// request if it was accepted. It is for tests alone.
//
// The document is read as any client would read it; nothing is taken from the package that makes it.
package conformance

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/pb33f/libopenapi/datamodel"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Checker knows a document. It is immutable and safe for concurrent use.
type Checker struct {
	loader     *loader
	operations []*operation
	// shared are the answers that stand in components, by name.
	shared map[string]*responseForm
	// problem is the schema of an error within a stream.
	problem *jsonSchema
	// ignored are beginnings of query parameters that the gateway passes over.
	ignored []string
}

// operation is one method of a path.
type operation struct {
	method   string
	path     *path
	params   []*parameter
	body     map[string]*media // By media type; nil: the operation takes none.
	required bool              // Tells that there must be a body.
	answers  map[string]*responseForm
	binding  *binding
}

func (o *operation) String() string { return o.method + " " + o.path.text }

// parameter is a part of the path, the query or the header.
type parameter struct {
	name, in string
	field    string // What a part of the path sets; empty: it has the name of the parameter.
	// description is for people.
	description string
	required    bool
	list        bool // Each value is an element.
	joined      bool // The elements of the list may be in one value, between commas.
	keyed       bool // It is a map whose entries are parameters: name[key]=value.
	json        bool // The value is a JSON document.
	many        bool // A part of the path that may hold slashes.
	schema      *jsonSchema
}

// media is one form of a body.
type media struct {
	schema, item *jsonSchema
	any          bool // It is that of any media type.
	example      any
	exemplified  bool // There is an example.
}

type responseForm struct {
	name    string
	headers map[string]*parameter
	content map[string]*media
}

// Load reads a document, which has to be valid itself: by the meta-schema of OpenAPI 3.1, and each of its schemas by that of JSON
// Schema 2020-12.
func Load(document []byte) (*Checker, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}

	if err := validateDocument(doc); err != nil {
		return nil, err
	}

	c, err := load(document)
	if err != nil {
		return nil, err
	}

	for _, where := range c.loader.all {
		if _, err := c.loader.compile(where); err != nil {
			return nil, err
		}
	}

	return c, nil
}

// load is Load without the meta-schema. Schemas that are never needed may be wrong.
func load(document []byte) (*Checker, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}

	l := newLoader(doc)
	c := &Checker{loader: l, shared: map[string]*responseForm{}, ignored: []string{"utm_"}}

	for template, item := range object(l.doc["paths"]) {
		where := pointer("paths", template)

		for method, op := range methodsOf(object(item)) {
			made, err := l.operation(template, method, op.value, where+pointer(op.at...))
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, template, err)
			}

			c.operations = append(c.operations, made)
		}
	}

	for name := range object(object(l.doc["components"])["responses"]) {
		if c.shared[name], err = l.response(pointer("components", "responses", name)); err != nil {
			return nil, fmt.Errorf("response %s: %w", name, err)
		}
	}

	c.problem = l.schema(pointer("components", "schemas", "Problem"))

	slices.SortFunc(c.operations, func(a, b *operation) int {
		return cmp.Or(a.path.compare(b.path), strings.Compare(a.method, b.method))
	})

	return c, nil
}

// place is an operation and where it stands in its path item.
type place struct {
	value any
	at    []string
}

func methodsOf(item map[string]any) map[string]place {
	methods := map[string]place{}

	for _, method := range []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"} {
		if op, ok := item[method]; ok {
			methods[strings.ToUpper(method)] = place{value: op, at: []string{method}}
		}
	}

	for method, op := range object(item["x-additional-operations"]) {
		methods[method] = place{value: op, at: []string{"x-additional-operations", method}}
	}

	return methods
}

// validateDocument checks a document by the meta-schema.
func validateDocument(doc any) error {
	meta, err := jsonschema.UnmarshalJSON(strings.NewReader(datamodel.OpenAPI31SchemaData))
	if err != nil {
		return fmt.Errorf("read the meta-schema: %w", err)
	}

	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()

	const url = "https://spec.openapis.org/oas/3.1/meta"
	if err := compiler.AddResource(url, meta); err != nil {
		return fmt.Errorf("the meta-schema: %w", err)
	}

	schema, err := compiler.Compile(url)
	if err != nil {
		return fmt.Errorf("the meta-schema: %w", err)
	}

	if err := schema.Validate(doc); err != nil {
		return fmt.Errorf("the document is not valid: %w", err)
	}

	return nil
}

// Exchange is a request and its answer.
type Exchange struct {
	Method string
	// Path is as it was sent, with its escapes.
	Path, Query string
	Request     Message
	Status      int
	Answer      Message
}

// Message is what one side sent.
type Message struct {
	Header http.Header
	Body   []byte
	// Partial reports that the body is only the beginning of what was sent.
	Partial bool
}

// Check compares an exchange with the document. The error joins all differences.
func (c *Checker) Check(e Exchange) error {
	op := c.find(e.Method, e.Path)
	if op == nil {
		return c.checkUnrouted(e)
	}

	var faults []error

	faults = append(faults, c.checkAnswer(op, e))

	if (e.Status/100 == 2 || e.Status == http.StatusNotModified) && !refusedWithin(e.Answer) {
		faults = append(faults, c.checkRequest(op, e))
	}

	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}

	return nil
}

// find returns the operation of a request: the most specific that has the method. HEAD is answered wherever GET is.
func (c *Checker) find(method, path string) *operation {
	var found *operation

	for _, op := range c.operations {
		if op.method != method || !op.path.matches(path) {
			continue
		}

		// One with a variable that is left out comes last, unless a verb decides.
		if op.path.whole.MatchString(path) && (found == nil || verbs(op.path) >= verbs(found.path)) {
			return op
		}

		if found == nil {
			found = op
		}
	}

	if found != nil {
		return found
	}

	if method == http.MethodHead {
		return c.find(http.MethodGet, path)
	}

	return nil
}

// allowed are the methods that the document has for a path.
func (c *Checker) allowed(path string) []string {
	methods := map[string]bool{}

	for _, op := range c.operations {
		if op.path.matches(path) {
			methods[op.method] = true
		}
	}

	return slices.Sorted(maps.Keys(methods))
}

// checkUnrouted compares the answer to a request for which there is no operation.
func (c *Checker) checkUnrouted(e Exchange) error {
	allowed := c.allowed(e.Path)

	name, known := map[int]string{
		http.StatusNotFound: "NotFound", http.StatusMethodNotAllowed: "MethodNotAllowed", http.StatusBadRequest: "BadRequest",
		http.StatusUnauthorized: "Unauthorized", http.StatusRequestEntityTooLarge: "ContentTooLarge",
		http.StatusTooManyRequests: "TooManyRequests", http.StatusServiceUnavailable: "ServiceUnavailable",
	}[e.Status]

	switch {
	case e.Method == http.MethodOptions && e.Status < http.StatusBadRequest:
		return nil // A preflight of CORS, which is no operation.
	case e.Status == http.StatusNotFound && len(allowed) > 0:
		return fmt.Errorf("%s %s: 404 where the document has %v", e.Method, e.Path, allowed)
	case e.Status == http.StatusMethodNotAllowed && len(allowed) == 0:
		return fmt.Errorf("%s %s: 405 where the document has no path", e.Method, e.Path)
	case !known && edgeStatus(e.Status):
		name = "Error"
	case !known:
		return fmt.Errorf("%s %s: %d, and no such operation in the document", e.Method, e.Path, e.Status)
	}

	answer := c.shared[name]
	if answer == nil {
		return fmt.Errorf("%s %s: %d, and no shared answer %s in the document", e.Method, e.Path, e.Status, name)
	}

	if err := c.checkParts(nil, answer, e); err != nil {
		return fmt.Errorf("%s %s (no operation): %d: %w", e.Method, e.Path, e.Status, err)
	}

	return nil
}

// edgeStatus reports whether a status is that of an error that any request can meet before it comes to an operation, so that
// operations need not name it.
func edgeStatus(status int) bool {
	return slices.Contains([]int{
		http.StatusRequestTimeout, http.StatusLengthRequired, http.StatusRequestURITooLong, http.StatusExpectationFailed,
		http.StatusMisdirectedRequest, http.StatusRequestHeaderFieldsTooLarge, 499, // The client hung up.
	}, status)
}

// answerOf is what the document says of a status, explicitly.
func (c *Checker) answerOf(op *operation, status int) (*responseForm, error) {
	if answer := op.answers[strconv.Itoa(status)]; answer != nil {
		return answer, nil
	}

	if answer := op.answers["default"]; answer != nil && edgeStatus(status) {
		return answer, nil
	}

	return nil, fmt.Errorf("the status %d is not in the document", status)
}
