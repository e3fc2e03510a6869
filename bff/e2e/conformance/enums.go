package conformance

import (
	"encoding/json"

	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// known is an answer of which values of enums that nobody knows are replaced by known ones; false if there are none. Enums are
// open: such a value passes through as a number (https://protobuf.dev/programming-guides/enum/), and documents list the known ones.
func (b *binding) known(body []byte) ([]byte, bool) {
	if b == nil {
		return nil, false
	}

	message := dynamicpb.NewMessage(b.output)

	var err error
	if b.answer == nil {
		err = b.codec.Decode(body, message, protojson.Options{})
	} else {
		err = b.codec.DecodeField(body, message, b.answer, protojson.Options{})
	}

	if err != nil || !replaceUnknown(message) {
		return nil, false
	}

	text, err := googlejson.MarshalOptions{AllowPartial: true}.Marshal(message)
	if err != nil || b.answer == nil {
		return text, err == nil
	}

	members := map[string]json.RawMessage{}
	err = json.Unmarshal(text, &members)

	return members[b.answer.JSONName()], err == nil
}

// replaceUnknown replaces numbers that an enum has no name for, and reports whether there were any.
func replaceUnknown(message protoreflect.Message) bool {
	replaced := false

	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			value.Map().Range(func(key protoreflect.MapKey, entry protoreflect.Value) bool {
				if next, changed := replaceIn(field.MapValue(), entry); changed {
					value.Map().Set(key, next)

					replaced = true
				}

				return true
			})
		case field.IsList():
			for i := range value.List().Len() {
				if next, changed := replaceIn(field, value.List().Get(i)); changed {
					value.List().Set(i, next)

					replaced = true
				}
			}
		default:
			if next, changed := replaceIn(field, value); changed {
				message.Set(field, next)

				replaced = true
			}
		}

		return true
	})

	return replaced
}

// replaceIn returns a single value as it is, or as a known one.
func replaceIn(field protoreflect.FieldDescriptor, value protoreflect.Value) (protoreflect.Value, bool) {
	switch {
	case field.Message() != nil:
		return value, replaceUnknown(value.Message())
	case field.Enum() == nil || field.Enum().Values().ByNumber(value.Enum()) != nil:
		return value, false
	default:
		last := field.Enum().Values().Len() - 1 // Not the default, which would be left out.

		return protoreflect.ValueOfEnum(field.Enum().Values().Get(last).Number()), true
	}
}

// recursive reports whether a name leads into a message within itself, where a document stops.
func (b *binding) recursive(name string) bool {
	if b == nil {
		return false
	}

	plain, _, _ := cutKey(name)

	path, err := schema.ResolveField(b.input, plain)
	if err != nil {
		return false
	}

	seen := map[protoreflect.FullName]bool{}

	for _, field := range path {
		holder := field.ContainingMessage().FullName()
		if seen[holder] {
			return true
		}

		seen[holder] = true
	}

	return false
}
