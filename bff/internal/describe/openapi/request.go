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
	inCookie = "cookie"
)

// Media types of requests and responses.
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
func (b *builder) query(op policy.Endpoint) []*Parameter {
	if op.Body == wholeBody {
		return nil
	}

	var parameters []*Parameter

	not := excluded(op)

	b.walk(op.Descriptor.Input(), nil, func(path schema.FieldPath) {
		name := path.TextNames()
		resumed := resumes(op, name)

		if path[0].TextName() == op.Body || b.elsewhere(op, name) && !resumed ||
			slices.ContainsFunc(not, func(excluded string) bool { return strings.HasPrefix(name+".", excluded+".") }) {
			return
		}

		p := b.parameter(path)
		parameters = append(parameters, p)

		if resumed {
			p.Description = sentences(p.Description, "The header `Last-Event-ID` wins over it.")
		} else {
			b.require(p, path)
		}
	})

	return parameters
}

// require says whether a parameter has to be there: always, or beside others of a message.
func (b *builder) require(p *Parameter, path schema.FieldPath) {
	from := len(path)
	for from > 0 && b.isRequired(path[from-1], input) {
		from--
	}

	switch from {
	case len(path):
	case 0:
		p.Required = true
	default:
		above := strings.Join(strings.Split(p.Name, ".")[:from], ".")
		p.Description = sentences(p.Description, "Required if there is another parameter of `"+above+"`.")
	}
}

// elsewhere reports whether the path or a header sets the field. That is then the one way that is described.
func (b *builder) elsewhere(op policy.Endpoint, field string) bool {
	return slices.Contains(op.Template.Variables(), field) ||
		slices.ContainsFunc(op.Policy.Headers, func(h header) bool { return h.Field != nil && h.Field.TextNames() == field })
}

// elsewhereBelow are the fields that the path and headers set of those below one, which the prefix names, and those that cannot be
// set because of that.
func (b *builder) elsewhereBelow(op policy.Endpoint, prefix string) []string {
	fields := slices.Concat(op.Template.Variables(), excluded(op))

	for _, h := range op.Policy.Headers {
		if h.Field != nil {
			fields = append(fields, h.Field.TextNames())
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
		return h.Name == "Last-Event-Id" && h.Field != nil && h.Field.TextNames() == field
	})
}

// walk visits the fields that can be parameters. Messages within themselves are left out: there would be no end of them.
func (b *builder) walk(message protoreflect.MessageDescriptor, above schema.FieldPath, visit func(schema.FieldPath)) {
	for field := range schema.All(message.Fields()) {
		path := append(slices.Clone(above), field)
		held, many := schema.Held(field), field.IsList() || field.IsMap()

		switch {
		case b.hidden(field, input):
		case held == nil, !many && isParameter(held), many && isParameter(held) && !isDocument(held):
			visit(path)
		case many || wellKnown(held, input) != nil || held.FullName() == httpBody || within(held, path):
		default:
			b.walk(held, path, visit)
		}
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

func (b *builder) parameter(path schema.FieldPath) *Parameter {
	field := path.Last()
	p := b.textParameter(field)

	p.Name, p.In = path.String(), inQuery
	if b.protoNames() {
		p.Name = path.TextNames()
	}

	// Of the members of a oneof that are messages there are only their fields.
	for _, above := range path[:len(path)-1] {
		p.Description = sentences(p.Description, b.oneofWords(above, input))
	}

	switch {
	case field.IsMap():
		p.Style, p.Explode = "deepObject", new(true)
	case field.Message() != nil && isDocument(field.Message()):
		p.Content, p.Schema = map[string]*MediaType{mediaJSON: {Schema: p.Schema}}, nil
	}

	return p
}

// textParameter is a parameter with the schema of a field. What is said of the field is said of the parameter, not of its schema.
func (b *builder) textParameter(field protoreflect.FieldDescriptor) *Parameter {
	schema := asText(b.field(field, input), field)
	p := &Parameter{Description: schema.Description, Deprecated: schema.Deprecated, Schema: schema}
	schema.Description, schema.Deprecated = "", false

	return p
}

// keyPattern is a string (RFC 8941, section 3.3.3), or characters that cannot be read as a part of a structured field.
const keyPattern = `^("([ !#-\[\]-~]|\\["\\]){1,255}"|[!#-+\--:<-\[\]-~]{1,255})$`

// headers are the parameters that the policy reads from the header.
func (b *builder) headers(op policy.Endpoint) []*Parameter {
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

		p := b.textParameter(h.Field.Last())
		p.Name, p.In = spelled(h.Name), inHeader
		parameters = append(parameters, p)
	}

	if p := b.sessionHeader(op); p != nil && !slices.ContainsFunc(parameters, func(q *Parameter) bool { return q.Name == p.Name }) {
		parameters = append(parameters, p)
	}

	if b.tagged(op) && !slices.ContainsFunc(parameters, func(p *Parameter) bool { return p.Name == "If-None-Match" }) {
		parameters = append(parameters, &Parameter{
			Name: "If-None-Match", In: inHeader, Schema: &Schema{Type: typeString},
			Description: "Entity tags that the client has. The response is 304 if the present one is among them.",
		})
	}

	return parameters
}
