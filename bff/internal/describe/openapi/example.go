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

// readExample reads the exchange of a method, if there is one.
func (b *builder) readExample(method protoreflect.FullName) error {
	text, ok := b.config.Examples[string(method)]
	if !ok {
		return nil
	}

	var example Example
	if err := json.Unmarshal([]byte(text), &example); err != nil {
		return fmt.Errorf("example of %s: %w", method, err)
	}

	b.examples[method] = example

	return nil
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

// responseExample is what a client reads; nil if there is no example.
func (b *builder) responseExample(op policy.Endpoint) any {
	m, ok := read(op.Descriptor.Output(), b.examples[op.Descriptor.FullName()].Response)
	if !ok {
		return nil
	}

	b.clearHidden(m, output)

	members := b.write(m, b.gateway.JSON.EmitDefaults)
	if field := responseField(op); field != nil {
		return member(members, b.name(field))
	}

	return members
}

// bodyExample is what a client sends as the body: the request without what is in path and header. It is nil if there is no example.
func (b *builder) bodyExample(op policy.Endpoint) any {
	m, ok := read(op.Descriptor.Input(), b.examples[op.Descriptor.FullName()].Request)
	if !ok {
		return nil
	}

	if op.Body == wholeBody {
		b.clearElsewhere(op, m, "")
		b.clearHidden(m, bodyForm(op))

		return b.write(m, false)
	}

	field := bodyField(op)
	if !m.Has(field) {
		return nil
	}

	if isObject(field) {
		b.clearElsewhere(op, m.Get(field).Message(), field.TextName()+".")
	}

	b.clearWithin(field, m.Get(field), bodyForm(op))

	return member(b.write(m, false), b.name(field))
}

// clearElsewhere clears the fields of a message that path and headers set. Their paths have the prefix there.
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

// write writes a message as the gateway is configured to; nil if it has no form in JSON.
func (b *builder) write(m protoreflect.Message, defaults bool) any {
	// Required fields may be elsewhere in the request.
	options := protojson.MarshalOptions{AllowPartial: true, UseProtoNames: b.protoNames(), EmitDefaultValues: defaults}

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

// hasReference reports whether there is an object with a member $ref somewhere, which tools read as a reference of the document
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
