package openapi

import (
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// needed are the fields that a message is refused without.
func (b *builder) needed(message protoreflect.MessageDescriptor, as form) ([]protoreflect.FieldDescriptor, error) {
	if as != input {
		// A backend's responses are held against no rules, and those of a PATCH are for what it changes.
		return schema.LabelledFields(message), nil
	}

	if known, ok := b.must[message.FullName()]; ok {
		return known, nil
	}

	fields, err := schema.RequiredFields(b.validator, message)
	if err != nil {
		return nil, err
	}

	b.must[message.FullName()] = fields

	return fields, nil
}

// isNeeded reports whether a message is refused without the field.
func (b *builder) isNeeded(field protoreflect.FieldDescriptor, as form) (bool, error) {
	fields, err := b.needed(field.ContainingMessage(), as)

	return slices.Contains(fields, field), err
}

// allNeeded reports whether all fields of a path are needed, each in its message.
func (b *builder) allNeeded(path schema.FieldPath) (bool, error) {
	for _, field := range path {
		if needed, err := b.isNeeded(field, input); !needed || err != nil {
			return false, err
		}
	}

	return true, nil
}

// hidden reports whether a field is for the other direction (AIP-203): clients get it but cannot set it, or not change it; or they
// set it and do not get it. What is needed is not hidden, since the field_behavior is not enforced.
func (b *builder) hidden(field protoreflect.FieldDescriptor, as form) (bool, error) {
	behaviors, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	has := func(behavior annotations.FieldBehavior) bool { return slices.Contains(behaviors, behavior) }

	hidden := has(annotations.FieldBehavior_OUTPUT_ONLY)

	switch as {
	case output:
		// The codec writes what is not set as well, if it is told to.
		hidden = has(annotations.FieldBehavior_INPUT_ONLY) && (!b.config.EmitDefaults || field.HasPresence())
	case patch:
		hidden = hidden || has(annotations.FieldBehavior_IDENTIFIER) || has(annotations.FieldBehavior_IMMUTABLE)
	case input, partial:
	}

	if !hidden {
		return false, nil
	}

	needed, err := b.isNeeded(field, as)

	return !needed, err
}

// clearHidden takes what is hidden out of a message, at any depth.
func (b *builder) clearHidden(m protoreflect.Message, as form) error {
	if wellKnown(m.Descriptor(), as) != nil {
		return nil
	}

	var fault error

	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		hidden, err := b.hidden(field, as)
		if hidden {
			m.Clear(field)
		} else if err == nil {
			err = b.clearWithin(field, value, as)
		}

		fault = err

		return err == nil
	})

	return fault
}

// clearWithin takes what is hidden out of the messages that a field holds.
func (b *builder) clearWithin(field protoreflect.FieldDescriptor, value protoreflect.Value, as form) error {
	held := heldMessage(field)

	switch {
	case held == nil:
		return nil
	case field.IsList():
		for i := range value.List().Len() {
			if err := b.clearHidden(value.List().Get(i).Message(), inside(as)); err != nil {
				return err
			}
		}

		return nil
	case field.IsMap():
		var fault error

		value.Map().Range(func(_ protoreflect.MapKey, entry protoreflect.Value) bool {
			fault = b.clearHidden(entry.Message(), inside(as))

			return fault == nil
		})

		return fault
	default:
		return b.clearHidden(value.Message(), as)
	}
}

// inside is how the elements of a list or map are used: a PATCH replaces them as a whole.
func inside(as form) form {
	if as == patch || as == partial {
		return input
	}

	return as
}
