package openapi

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// body is what a request carries. Nil: nothing.
func (b *builder) body(op policy.Endpoint) *RequestBody {
	if op.Body == "" {
		return nil
	}

	body := &RequestBody{
		Content: &Map[*MediaType]{},
		Description: sentences(
			"At most "+size(op.Policy.Effective.GetMaxBodyBytes())+", also after decompression.", b.maskWords(op)),
	}

	if b.isFile(op) {
		b.fileBody(op, body)

		return body
	}

	schema, required := b.bodySchema(op)
	body.Required = required

	if op.ClientStream {
		body.Content.Set(mediaNDJSON, lines(schema))
		body.Content.Set(mediaJSON, &MediaType{Schema: &Schema{Type: typeArray, Items: schema}})
	} else {
		body.Content.Set(mediaJSON, &MediaType{Schema: schema, Example: b.bodyExample(op)})
	}

	return body
}

// httpBody is the message for bytes of any type.
const httpBody = "google.api.HttpBody"

// isFile reports whether the body is bytes of any type.
func (b *builder) isFile(op policy.Endpoint) bool {
	if op.Body == wholeBody {
		return op.Descriptor.Input().FullName() == httpBody
	}

	return holdsFile(bodyField(op))
}

// holdsFile reports whether a field, which may be nil, holds one google.api.HttpBody.
func holdsFile(field protoreflect.FieldDescriptor) bool {
	return field != nil && field.Message() != nil && !field.IsList() && field.Message().FullName() == httpBody
}

// bodyField is the field of the request that the body is. It is nil if that is the whole message.
func bodyField(op policy.Endpoint) protoreflect.FieldDescriptor {
	return op.Descriptor.Input().Fields().ByName(protoreflect.Name(op.Body))
}

// responseField is the field of the response that the body of the response is. It is nil if that is the whole message.
func responseField(op policy.Endpoint) protoreflect.FieldDescriptor {
	return op.Descriptor.Output().Fields().ByName(protoreflect.Name(op.ResponseBody))
}

func (b *builder) fileBody(op policy.Endpoint, body *RequestBody) {
	body.Content.Set(mediaAny, &MediaType{Schema: &Schema{}})

	if !op.ClientStream {
		return
	}

	part := &Map[*Schema]{}
	part.Set("file", &Schema{Type: typeString, Format: "binary", Description: "The file. The name of the part does not matter."})
	body.Content.Set(mediaForm, &MediaType{Schema: &Schema{
		Type: typeObject, Properties: part, Required: []string{"file"},
		Description: "A form with exactly one part, which is a file.",
	}})
}

// bodySchema is the schema of a JSON body, and whether there has to be one.
func (b *builder) bodySchema(op policy.Endpoint) (*Schema, bool) {
	if op.Body == wholeBody {
		message := op.Descriptor.Input()
		if known := wellKnown(message, input); known != nil {
			return known, false
		}

		return b.wholeSchema(op, message)
	}

	field := bodyField(op)
	if !isObject(field) {
		return b.field(field, input), b.isRequired(field, input)
	}

	schema, required := b.bodyObject(op, field.Message(), op.Body+".", bodyForm(op))

	// Without a body, a PATCH is accepted and changes nothing.
	return schema, required || b.isRequired(field, input)
}

// isObject reports whether a field holds a single message that has its fields as members in JSON.
func isObject(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && !field.IsList() && !field.IsMap() && wellKnown(field.Message(), input) == nil
}

// bodyObject is a message as a body, without the fields that path and header set, and whether there has to be one.
func (b *builder) bodyObject(op policy.Endpoint, message protoreflect.MessageDescriptor, prefix string, as form) (*Schema, bool) {
	without, open := b.elsewhereBelow(op, prefix), op.Policy.Effective.GetAllowUnknownFields()
	schema := b.object(message, as, without)
	required := refusesEmpty(schema)

	if len(without) == 0 && !open {
		return b.ref(message, as), required
	}

	if open {
		schema.AdditionalProperties = nil
	}

	return b.refReduced(b.schemaName(message, as), reducedSuffix(without, open), schema), required
}
