package conformance

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// loader turns a document into what is checked.
type loader struct {
	doc map[string]any
	// all is where schemas are that are needed.
	all []string

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	// added are the schemas that the compiler has, which are those that others refer to as well.
	added   map[string]bool
	schemas map[string]*jsonschema.Schema
}

var errNoObject = errors.New("is not an object")

func newLoader(doc any) *loader {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.AssertContent()

	for _, format := range formats() {
		compiler.RegisterFormat(format)
	}

	return &loader{doc: object(doc), compiler: compiler, added: map[string]bool{}, schemas: map[string]*jsonschema.Schema{}}
}

// What stands for characters in parts of a JSON pointer.
var (
	escapes   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapes = strings.NewReplacer("~1", "/", "~0", "~")
)

// pointer is a JSON pointer (RFC 6901).
func pointer(parts ...string) string {
	var out strings.Builder

	for _, part := range parts {
		out.WriteByte('/')
		out.WriteString(escapes.Replace(part))
	}

	return out.String()
}

// object is a value as an object; nil if it is none.
func object(v any) map[string]any {
	members, _ := v.(map[string]any)

	return members
}

// value is that at a pointer; nil if there is none.
func (l *loader) value(where string) any {
	var value any = l.doc

	for part := range strings.SplitSeq(strings.TrimPrefix(where, "/"), "/") {
		part = unescapes.Replace(part)

		if list, ok := value.([]any); ok {
			index, err := strconv.Atoi(part)
			if err != nil || index < 0 || index >= len(list) {
				return nil
			}

			value = list[index]
		} else {
			value = object(value)[part]
		}
	}

	return value
}

// at returns the object at a pointer, behind references, and where that is.
func (l *loader) at(where string) (map[string]any, string, error) {
	members := object(l.value(where))
	if members == nil {
		return nil, "", fmt.Errorf("%s %w", where, errNoObject)
	}

	if ref, ok := members["$ref"].(string); ok {
		return l.at(strings.TrimPrefix(ref, "#"))
	}

	return members, where, nil
}

// schema is that at a pointer. It is compiled when it is first needed, since most tests need few of a document.
func (l *loader) schema(where string) *jsonSchema {
	l.all = append(l.all, where)

	return &jsonSchema{loader: l, where: where}
}

// compile compiles the schema at a pointer, and checks that it is one. It is safe for concurrent use.
func (l *loader) compile(where string) (*jsonschema.Schema, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if known, ok := l.schemas[where]; ok {
		return known, nil
	}

	if err := l.add(where); err != nil {
		return nil, err
	}

	compiled, err := l.compiler.Compile(address(where))
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", where, err)
	}

	l.schemas[where] = compiled

	return compiled, nil
}

// add gives the compiler a schema and those that it refers to, each as a resource of its own. In one resource, the compiler would
// copy all that it knows for each schema that is not at a keyword of JSON Schema, as no schema of an OpenAPI document is.
func (l *loader) add(where string) error {
	if l.added[where] {
		return nil
	}

	l.added[where] = true

	var refs []string

	resource := referring(l.value(where), func(ref string) string {
		refs = append(refs, ref)

		return address(ref)
	})

	if err := l.compiler.AddResource(address(where), resource); err != nil {
		return fmt.Errorf("schema %s: %w", where, err)
	}

	for _, ref := range refs {
		if err := l.add(ref); err != nil {
			return err
		}
	}

	return nil
}

// address is that by which the compiler knows the schema at a pointer.
func address(where string) string {
	return (&url.URL{Scheme: "portico", Path: where}).String()
}

// referring is a copy of a schema whose references to places of the document are others.
func referring(value any, to func(where string) string) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = referring(element, to)
		}

		return out
	case map[string]any:
		out := make(map[string]any, len(v))

		for name, member := range v {
			ref, ok := member.(string)
			if where, local := strings.CutPrefix(ref, "#/"); ok && local && name == "$ref" {
				out[name] = to("/" + where)
			} else {
				out[name] = referring(member, to)
			}
		}

		return out
	default:
		return value
	}
}

// jsonSchema is one of a document.
type jsonSchema struct {
	loader *loader
	where  string
}

func (l *loader) operation(template, method string, value any, where string) (*operation, error) {
	op := &operation{method: method, answers: map[string]*responseForm{}}

	described := object(value)
	list, _ := described["parameters"].([]any)
	many := map[string]bool{}

	for i := range list {
		p, err := l.parameter(where + pointer("parameters", strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}

		op.params = append(op.params, p)
		many[p.name] = many[p.name] || p.in == inPath && p.many
	}

	var err error
	if op.path, err = parsePath(template, many); err != nil {
		return nil, err
	}

	if body := object(described["requestBody"]); body != nil {
		op.required, _ = body["required"].(bool)
		op.body = l.content(where+pointer("requestBody"), body)
	}

	for status := range object(described["responses"]) {
		if op.answers[status], err = l.response(where + pointer("responses", status)); err != nil {
			return nil, err
		}
	}

	rpc, _ := object(described["x-portico"])["rpc"].(string)
	op.binding = bindingOf(rpc, method, template)

	return op, nil
}

// parameter reads a parameter, or a header of an answer, which has no name.
func (l *loader) parameter(where string) (*parameter, error) {
	members, where, err := l.at(where)
	if err != nil {
		return nil, err
	}

	p := &parameter{}
	p.name, _ = members["name"].(string)
	p.in, _ = members["in"].(string)
	p.description, _ = members["description"].(string)
	p.required, _ = members["required"].(bool)
	p.field, _ = members["x-portico-field"].(string)
	p.many, _ = members["x-portico-segments"].(bool)
	p.keyed = members["style"] == "deepObject"
	p.joined = members["explode"] == false

	at := where + "/schema"

	if content := object(members["content"]); content != nil {
		p.json = true

		for media := range content {
			at = where + pointer("content", media, "schema")
		}
	} else {
		p.list = object(members["schema"])["type"] == typeArray
	}

	p.schema = l.schema(at)

	return p, nil
}

func (l *loader) content(where string, holder map[string]any) map[string]*media {
	forms := map[string]*media{}

	for name, value := range object(holder["content"]) {
		form, at := &media{any: name == "*/*"}, where+pointer("content", name)
		form.example, form.exemplified = object(value)["example"]

		if object(value)["schema"] != nil {
			form.schema = l.schema(at + "/schema")
		}

		if object(value)["x-itemSchema"] != nil {
			form.item = l.schema(at + "/x-itemSchema")
		}

		forms[name] = form
	}

	return forms
}

func (l *loader) response(where string) (*responseForm, error) {
	members, where, err := l.at(where)
	if err != nil {
		return nil, err
	}

	r := &responseForm{name: where, headers: map[string]*parameter{}}

	for name := range object(members["headers"]) {
		if r.headers[name], err = l.parameter(where + pointer("headers", name)); err != nil {
			return nil, err
		}

		r.headers[name].name = name
	}

	r.content = l.content(where, members)

	return r, nil
}
