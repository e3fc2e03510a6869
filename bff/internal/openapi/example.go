package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Example is an exchange of a method, as protobuf's JSON of the request and the response message.
type Example struct {
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
}

// example is the exchange of a method; nil if there is none.
func (b *builder) example(method protoreflect.MethodDescriptor) (*Example, error) {
	text, ok := b.config.Examples[string(method.FullName())]
	if !ok {
		return nil, nil //nolint:nilnil // There is none.
	}

	out := &Example{}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		return nil, fmt.Errorf("example of %s: %w", method.FullName(), err)
	}

	return out, nil
}

// answerExample is what a client reads; nil if there is no example.
func (b *builder) answerExample(op Operation) (any, error) {
	example, err := b.example(op.Route.Descriptor)
	if example == nil || err != nil {
		return nil, err
	}

	members, err := b.respell(op.Route.Descriptor.Output(), example.Response)
	if err != nil || op.Route.ResponseBody == "" {
		return members, err
	}

	return member(members, b.fieldName(op.Route.Descriptor.Output(), op.Route.ResponseBody)), nil
}

// bodyExample is what a client sends as the body: the request without what stands in path and header.
func (b *builder) bodyExample(op Operation) (any, error) {
	message := op.Route.Descriptor.Input()

	example, err := b.example(op.Route.Descriptor)
	if example == nil || err != nil {
		return nil, err
	}

	members, err := b.respell(message, example.Request)
	if err != nil {
		return nil, err
	}

	prefix := ""

	if op.Route.Body != wholeBody {
		field := message.Fields().ByName(protoreflect.Name(op.Route.Body))
		if field == nil {
			return nil, nil //nolint:nilnil // What is no field has no example.
		}

		members, message, prefix = member(members, b.name(field)), field.Message(), field.TextName()+"."
	}

	object, ok := members.(map[string]any)
	if !ok || message == nil {
		return members, nil
	}

	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if b.elsewhere(op, prefix+field.TextName()) || given(field, bodyForm(op)) {
			delete(object, b.name(field))
		}
	}

	return object, nil
}

func (b *builder) fieldName(message protoreflect.MessageDescriptor, name string) string {
	if field := message.Fields().ByName(protoreflect.Name(name)); field != nil {
		return b.name(field)
	}

	return name
}

// member is what an object has under a name; nil if it is none, or has nothing.
func member(value any, name string) any {
	object, _ := value.(map[string]any)

	return object[name]
}

// respell writes the JSON of a message as the gateway is told to.
func (b *builder) respell(message protoreflect.MessageDescriptor, text json.RawMessage) (any, error) {
	m := dynamicpb.NewMessage(message)
	if err := protojson.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("example of a %s: %w", message.FullName(), err)
	}

	spelled, err := protojson.MarshalOptions{
		UseProtoNames: b.config.ProtoNames, EmitDefaultValues: b.config.EmitDefaults,
	}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("example of a %s: %w", message.FullName(), err)
	}

	var out any

	decoder := json.NewDecoder(bytes.NewReader(spelled))
	decoder.UseNumber()

	if err := decoder.Decode(&out); err != nil {
		return nil, fmt.Errorf("example of a %s: %w", message.FullName(), err)
	}

	return out, nil
}
