package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// Example is an exchange of a method, as protobuf's JSON of the request and the response message. Either may be missing.
type Example struct {
	Request  json.RawMessage `json:"request,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

// example is the exchange of a method; empty if there is none.
func (b *builder) example(method protoreflect.MethodDescriptor) (Example, error) {
	var out Example

	text, ok := b.config.Examples[string(method.FullName())]
	if !ok {
		return out, nil
	}

	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return out, fmt.Errorf("example of %s: %w", method.FullName(), err)
	}

	return out, nil
}

// read reads the JSON of a message. It reports whether there is one: an example that cannot be read is left out, since types in it
// may not be linked into this program.
func read(message protoreflect.MessageDescriptor, text json.RawMessage) (protoreflect.Message, bool) {
	m := dynamicpb.NewMessage(message)
	if len(text) == 0 || protojson.Unmarshal(text, m) != nil {
		return nil, false
	}

	return m, true
}

// answerExample is what a client reads; nil if there is no example.
func (b *builder) answerExample(op policy.Endpoint) (any, error) {
	message := op.Descriptor.Output()

	example, err := b.example(op.Descriptor)
	if err != nil {
		return nil, err
	}

	m, ok := read(message, example.Response)
	if !ok {
		return nil, nil //nolint:nilnil // There is none.
	}

	if err := b.clearHidden(m, output); err != nil {
		return nil, err
	}

	members := b.write(m, b.config.EmitDefaults)
	if field := message.Fields().ByName(protoreflect.Name(op.ResponseBody)); field != nil {
		return member(members, b.name(field)), nil
	}

	return members, nil
}

// bodyExample is what a client sends as the body: the request without what stands in path and header. It is nil if there is no
// example.
func (b *builder) bodyExample(op policy.Endpoint) (any, error) {
	message, as := op.Descriptor.Input(), bodyForm(op)

	example, err := b.example(op.Descriptor)
	if err != nil {
		return nil, err
	}

	m, ok := read(message, example.Request)
	if !ok {
		return nil, nil //nolint:nilnil // There is none.
	}

	if op.Body == wholeBody {
		b.clearElsewhere(op, m, "")

		if err := b.clearHidden(m, as); err != nil {
			return nil, err
		}

		return b.write(m, false), nil
	}

	field := message.Fields().ByName(protoreflect.Name(op.Body))
	if field == nil || !m.Has(field) {
		return nil, nil //nolint:nilnil // What is not set has no example.
	}

	if isObject(field) {
		b.clearElsewhere(op, m.Get(field).Message(), field.TextName()+".")
	}

	if err := b.clearWithin(field, m.Get(field), as); err != nil {
		return nil, err
	}

	return member(b.write(m, false), b.name(field)), nil
}

// clearElsewhere takes what path and headers set out of a message, whose fields have a prefix there.
func (b *builder) clearElsewhere(op policy.Endpoint, m protoreflect.Message, prefix string) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch name := prefix + field.TextName(); {
		case b.elsewhere(op, name):
			m.Clear(field)
		case isObject(field):
			b.clearElsewhere(op, value.Message(), name+".")
		}

		return true
	})
}

// member is what an object has under a name; nil if it is none, or has nothing.
func member(value any, name string) any {
	object, _ := value.(map[string]any)

	return object[name]
}

// write writes a message as the gateway is told to; nil if it has no form in JSON.
func (b *builder) write(m protoreflect.Message, defaults bool) any {
	// Required fields may be elsewhere in the request.
	options := protojson.MarshalOptions{AllowPartial: true, UseProtoNames: b.config.ProtoNames, EmitDefaultValues: defaults}

	text, err := options.Marshal(m.Interface())
	if err != nil {
		return nil
	}

	var out any

	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()

	if decoder.Decode(&out) != nil || hasReference(out) {
		return nil
	}

	return out
}

// hasReference reports whether there is an object with a member $ref somewhere, which tools take for a reference of the document
// even in an example.
func hasReference(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		_, found := value["$ref"]

		return found || slices.ContainsFunc(slices.Collect(maps.Values(value)), hasReference)
	case []any:
		return slices.ContainsFunc(value, hasReference)
	default:
		return false
	}
}
