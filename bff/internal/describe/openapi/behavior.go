package openapi

import (
	"fmt"
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// readRules finds the required fields of requests, and whether the rules of all messages can be read, so that nothing later has to
// expect an error.
func (b *builder) readRules(inputs, outputs []protoreflect.MessageDescriptor) error {
	// It compiles rules that nobody needs afterwards, so it is not the one that all share.
	validator, err := protovalidate.New()
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}

	for _, message := range slices.Concat(inputs, outputs) {
		_, err := protovalidate.ResolveMessageRules(message)

		for one := range schema.All(message.Oneofs()) {
			if err == nil {
				_, err = protovalidate.ResolveOneofRules(one)
			}
		}

		for field := range schema.All(message.Fields()) {
			if err == nil {
				_, err = protovalidate.ResolveFieldRules(field)
			}
		}

		if err != nil {
			return fmt.Errorf("rules of %s: %w", message.FullName(), err)
		}
	}

	for _, message := range inputs {
		if b.required[message.FullName()], err = schema.RequiredFields(validator, message); err != nil {
			return err
		}
	}

	return nil
}

// The rules of a field, a oneof and a message. That they can be read is what readRules has checked.

func fieldRules(field protoreflect.FieldDescriptor) *validate.FieldRules {
	rules, _ := protovalidate.ResolveFieldRules(field)

	return rules
}

func oneofRules(one protoreflect.OneofDescriptor) *validate.OneofRules {
	rules, _ := protovalidate.ResolveOneofRules(one)

	return rules
}

func messageRules(message protoreflect.MessageDescriptor) *validate.MessageRules {
	rules, _ := protovalidate.ResolveMessageRules(message)

	return rules
}

// requiredFields are the fields that a message is refused without. Responses are not checked against rules, and those of a PATCH
// are for what it changes.
func (b *builder) requiredFields(message protoreflect.MessageDescriptor, as form) []protoreflect.FieldDescriptor {
	if as != input {
		return schema.LabelledFields(message)
	}

	return b.required[message.FullName()]
}

// isRequired reports whether a message is refused without the field.
func (b *builder) isRequired(field protoreflect.FieldDescriptor, as form) bool {
	return slices.Contains(b.requiredFields(field.ContainingMessage(), as), field)
}

// hidden reports whether a field is for the other direction (AIP-203): clients get it but cannot set it, or not change it; or they
// set it and do not get it. What is required is not hidden, since the field_behavior is not enforced.
func (b *builder) hidden(field protoreflect.FieldDescriptor, as form) bool {
	behaviors, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	has := func(behavior annotations.FieldBehavior) bool { return slices.Contains(behaviors, behavior) }

	hidden := has(annotations.FieldBehavior_OUTPUT_ONLY)

	switch as {
	case output:
		// The codec may write fields that are not set as well.
		hidden = has(annotations.FieldBehavior_INPUT_ONLY) && (!b.gateway.JSON.EmitDefaults || field.HasPresence())
	case patch:
		hidden = hidden || has(annotations.FieldBehavior_IDENTIFIER) || has(annotations.FieldBehavior_IMMUTABLE)
	case input, partial:
	}

	return hidden && !b.isRequired(field, as)
}

// clearHidden clears the hidden fields of a message, at any depth.
func (b *builder) clearHidden(m protoreflect.Message, as form) {
	if wellKnown(m.Descriptor(), as) != nil {
		return
	}

	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if b.hidden(field, as) {
			m.Clear(field)
		} else {
			b.clearWithin(field, value, as)
		}

		return true
	})
}

// clearWithin clears the hidden fields of the messages that a field holds.
func (b *builder) clearWithin(field protoreflect.FieldDescriptor, value protoreflect.Value, as form) {
	switch {
	case schema.Held(field) == nil:
	case field.IsList():
		for i := range value.List().Len() {
			b.clearHidden(value.List().Get(i).Message(), inside(as))
		}
	case field.IsMap():
		value.Map().Range(func(_ protoreflect.MapKey, entry protoreflect.Value) bool {
			b.clearHidden(entry.Message(), inside(as))

			return true
		})
	default:
		b.clearHidden(value.Message(), as)
	}
}

// inside is how the elements of a list or map are used: a PATCH replaces them as a whole.
func inside(as form) form {
	if as == patch || as == partial {
		return input
	}

	return as
}
