package openapi

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Where parameters are.
const (
	inPath   = "path"
	inQuery  = "query"
	inHeader = "header"
)

// Media types of requests and answers.
const (
	mediaJSON   = "application/json"
	mediaNDJSON = "application/x-ndjson"
	mediaSSE    = "text/event-stream"
	mediaForm   = "multipart/form-data"
	mediaAny    = "*/*"
)

// wholeBody is the body of a route that takes the whole message from it.
const wholeBody = "*"

// query are the fields that neither path nor body sets, as parameters.
func (b *builder) query(op policy.Endpoint) ([]*Parameter, error) {
	r := op.Route
	if r.Body == wholeBody {
		return nil, nil
	}

	var parameters []*Parameter

	not := excluded(op)

	err := b.walk(r.Descriptor.Input(), nil, func(path schema.FieldPath) error {
		isBelow := func(name string) bool { return strings.HasPrefix(textPath(path)+".", name+".") }
		if slices.ContainsFunc(not, isBelow) {
			return nil
		}

		resumed := resumes(op, textPath(path))
		if path[0].TextName() == r.Body || b.elsewhere(op, textPath(path)) && !resumed {
			return nil
		}

		p, err := b.parameter(path)
		if err != nil {
			return err
		}

		parameters = append(parameters, p)

		if resumed {
			p.Description = sentences(p.Description, "The header `Last-Event-ID` wins over it.")

			return nil
		}

		return b.require(p, path)
	})

	return parameters, err
}

// require says whether a parameter has to be there: always, or beside others of a message.
func (b *builder) require(p *Parameter, path schema.FieldPath) error {
	for from := range path {
		needed, err := b.allNeeded(path[from:])
		if err != nil {
			return err
		}

		if !needed {
			continue
		}

		if p.Required = from == 0; !p.Required {
			above := strings.Join(strings.Split(p.Name, ".")[:from], ".")
			p.Description = sentences(p.Description, "Required if there is another parameter of `"+above+"`.")
		}

		return nil
	}

	return nil
}

// textPath spells a path as the proto does, which is how templates spell their variables.
func textPath(path schema.FieldPath) string {
	names := make([]string, len(path))
	for i, field := range path {
		names[i] = field.TextName()
	}

	return strings.Join(names, ".")
}

// elsewhere reports whether the path or a header sets the field. That is then the one way that is described.
func (b *builder) elsewhere(op policy.Endpoint, field string) bool {
	return slices.Contains(op.Template.Variables(), field) ||
		slices.ContainsFunc(op.Policy.Headers, func(h header) bool { return h.Field != nil && textPath(h.Field) == field })
}

// elsewhereBelow are the fields that the path and headers set of those below one, which the prefix names, and those that cannot be
// set because of that.
func (b *builder) elsewhereBelow(op policy.Endpoint, prefix string) []string {
	fields := slices.Concat(op.Template.Variables(), excluded(op))

	for _, h := range op.Policy.Headers {
		if h.Field != nil {
			fields = append(fields, textPath(h.Field))
		}
	}

	var below []string

	for _, field := range fields {
		if rest, ok := strings.CutPrefix(field, prefix); ok {
			below = append(below, rest)
		}
	}

	slices.Sort(below)

	return slices.Compact(below)
}

// resumes reports whether Last-Event-ID sets the field. The query may then set it as well, and differ: a stream begins with the one
// and is resumed with both.
func resumes(op policy.Endpoint, field string) bool {
	return !slices.Contains(op.Template.Variables(), field) && slices.ContainsFunc(op.Policy.Headers, func(h header) bool {
		return h.Name == "Last-Event-Id" && h.Field != nil && textPath(h.Field) == field
	})
}

// walk visits the fields that can be parameters. Messages within themselves are left out: there would be no end of them.
func (b *builder) walk(message protoreflect.MessageDescriptor, above schema.FieldPath, visit func(schema.FieldPath) error) error {
	for i := range message.Fields().Len() {
		path := append(slices.Clone(above), message.Fields().Get(i))

		hidden, err := b.hidden(path.Last(), input)
		if err != nil {
			return err
		}

		if hidden {
			continue
		}

		if err := b.walkField(path, visit); err != nil {
			return err
		}
	}

	return nil
}

// walkField visits a field, or those of the message that it holds.
func (b *builder) walkField(path schema.FieldPath, visit func(schema.FieldPath) error) error {
	field := path.Last()
	held, many := heldMessage(field), field.IsList() || field.IsMap()

	switch {
	case held == nil, !many && isParameter(held), many && isParameter(held) && !isDocument(held):
		return visit(path)
	case many || wellKnown(held, input) != nil || held.FullName() == httpBody || within(held, path):
		return nil
	default:
		return b.walk(held, path, visit)
	}
}

// isParameter reports whether a message has a form that a query can hold.
func isParameter(message protoreflect.MessageDescriptor) bool {
	switch message.FullName() {
	case "google.protobuf.Any", "google.protobuf.Empty":
		return false
	default:
		return wellKnown(message, input) != nil
	}
}

// isDocument reports whether a message is JSON outside of JSON as well.
func isDocument(message protoreflect.MessageDescriptor) bool {
	return slices.Contains([]protoreflect.FullName{
		"google.protobuf.Struct", protoValue, "google.protobuf.ListValue",
	}, message.FullName())
}

// within reports whether a message is around the last field of a path.
func within(held protoreflect.MessageDescriptor, path schema.FieldPath) bool {
	return slices.ContainsFunc(path, func(f protoreflect.FieldDescriptor) bool { return f.ContainingMessage() == held })
}

func (b *builder) parameter(path schema.FieldPath) (*Parameter, error) {
	names := make([]string, 0, len(path))
	for _, field := range path {
		if b.config.ProtoNames {
			names = append(names, field.TextName())
		} else {
			names = append(names, schema.FieldName(field))
		}
	}

	field := path.Last()

	schema, err := b.field(field, input)
	if err != nil {
		return nil, err
	}

	p := &Parameter{Name: strings.Join(names, "."), In: inQuery}
	p.Description, p.Deprecated, schema = told(asText(schema, field))

	// Of the members of a oneof that are messages there are only their fields.
	for _, above := range path[:len(path)-1] {
		words, err := b.oneofWords(above, input)
		if err != nil {
			return nil, err
		}

		p.Description = sentences(p.Description, words)
	}

	held := field.Message()

	switch {
	case field.IsMap():
		p.Style, p.Explode, p.Schema = "deepObject", new(true), schema
	case held != nil && isDocument(held):
		p.Content = map[string]*MediaType{mediaJSON: {Schema: schema}}
	default:
		p.Schema = schema
	}

	return p, nil
}

// told takes what is said of a field off its schema: of a parameter it stands beside it.
func told(schema *Schema) (description string, deprecated bool, rest *Schema) {
	description, deprecated = schema.Description, schema.Deprecated
	schema.Description, schema.Deprecated = "", false

	return description, deprecated, schema
}

// keyPattern is a string (RFC 8941, section 3.3.3), or characters that cannot be taken for a part of a structured field.
const keyPattern = `^("([ !#-\[\]-~]|\\["\\]){1,255}"|[!#-+\--:<-\[\]-~]{1,255})$`

// headers are the parameters that the policy takes from the header.
func (b *builder) headers(op policy.Endpoint) ([]*Parameter, error) {
	var parameters []*Parameter

	if i := op.Policy.Effective.GetIdempotency(); i != nil {
		parameters = append(parameters, &Parameter{
			Name: "Idempotency-Key", In: inHeader, Required: i.GetRequired(),
			Schema: &Schema{Type: typeString, Pattern: keyPattern},
			Description: "Names the operation, so that it takes effect once however often it is sent: 1 to 255 printable ASCII " +
				"characters, best a UUID. Answers are kept for " + policy.Span(i.GetTtl().AsDuration()) + ".",
		})
	}

	for _, h := range op.Policy.Headers {
		if h.Name == "Idempotency-Key" && op.Policy.Effective.GetIdempotency() != nil || h.Field == nil {
			continue
		}

		schema, err := b.field(h.Field.Last(), input)
		if err != nil {
			return nil, err
		}

		p := &Parameter{Name: spelled(h.Name), In: inHeader}
		p.Description, p.Deprecated, p.Schema = told(asText(schema, h.Field.Last()))
		parameters = append(parameters, p)
	}

	if b.tagged(op) && !slices.ContainsFunc(parameters, func(p *Parameter) bool { return p.Name == "If-None-Match" }) {
		parameters = append(parameters, &Parameter{
			Name: "If-None-Match", In: inHeader, Schema: &Schema{Type: typeString},
			Description: "Entity tags that the client has. The answer is 304 if the present one is among them.",
		})
	}

	return parameters, nil
}
