package openapi

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// body is what a request carries. Nil: nothing.
func (b *builder) body(op policy.Endpoint) (*RequestBody, error) {
	r := op.Route
	if r.Body == "" {
		return nil, nil //nolint:nilnil // There is none.
	}

	body := &RequestBody{
		Content: &Map[*MediaType]{},
		Description: sentences(
			"At most "+size(op.Policy.Effective.GetMaxBodyBytes())+", also after decompression.", b.maskWords(op)),
	}

	if b.isFile(op) {
		b.fileBody(op, body)

		return body, nil
	}

	schema, must, err := b.bodySchema(op)
	if err != nil {
		return nil, err
	}

	body.Required = must

	if r.ClientStream {
		body.Content.Set(mediaNDJSON, lines(schema))
		body.Content.Set(mediaJSON, &MediaType{Schema: &Schema{Type: typeArray, Items: schema}})

		return body, nil
	}

	example, err := b.bodyExample(op)
	body.Content.Set(mediaJSON, &MediaType{Schema: schema, Example: example})

	return body, err
}

// isFile reports whether the body is bytes of any type.
func (b *builder) isFile(op policy.Endpoint) bool {
	message := op.Descriptor.Input()
	if op.Body != wholeBody {
		field := message.Fields().ByName(protoreflect.Name(op.Body))
		if field == nil || field.Message() == nil || field.IsList() {
			return false
		}

		message = field.Message()
	}

	return message.FullName() == httpBody
}

// httpBody stands for bytes of any type.
const httpBody = "google.api.HttpBody"

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
func (b *builder) bodySchema(op policy.Endpoint) (*Schema, bool, error) {
	r := op.Route
	message := r.Descriptor.Input()

	if r.Body == wholeBody {
		if known := wellKnown(message, input); known != nil {
			return known, false, nil
		}

		return b.wholeSchema(op, message)
	}

	field := message.Fields().ByName(protoreflect.Name(r.Body))
	if field == nil {
		return nil, false, fmt.Errorf("the body %q is no field of %s", r.Body, message.FullName())
	}

	must, err := b.isNeeded(field, input)
	if err != nil {
		return nil, false, err
	}

	if !isObject(field) {
		schema, err := b.field(field, input)

		return schema, must, err
	}

	schema, need, err := b.bodyObject(op, field.Message(), r.Body+".", bodyForm(op))

	// Without a body, a PATCH is accepted and changes nothing.
	return schema, need || must, err
}

// isObject reports whether a field holds a single message that has its fields as members in JSON.
func isObject(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && !field.IsList() && !field.IsMap() && wellKnown(field.Message(), input) == nil
}

// bodyObject is a message as a body, without the fields that path and header set.
func (b *builder) bodyObject(
	op policy.Endpoint, message protoreflect.MessageDescriptor, prefix string, as form,
) (*Schema, bool, error) {
	without := b.elsewhereBelow(op, prefix)

	schema, err := b.object(message, as, without)
	if err != nil {
		return nil, false, err
	}

	must := refusesEmpty(schema)

	if len(without) == 0 && !op.Policy.Effective.GetAllowUnknownFields() {
		ref, err := b.ref(message, as)

		return ref, must, err
	}

	if op.Policy.Effective.GetAllowUnknownFields() {
		schema.AdditionalProperties = nil
	}

	suffix := reducedSuffix(without, op.Policy.Effective.GetAllowUnknownFields())

	return b.refReduced(b.schemaName(message, as), suffix, schema), must, nil
}
