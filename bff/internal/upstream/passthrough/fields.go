package passthrough

import (
	"fmt"
	"iter"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Field is a field of an encoded message, with its value as it is encoded after the tag.
type Field struct {
	Number protowire.Number
	Type   protowire.Type
	Value  []byte
}

// Fields iterates over the fields of an encoded message. What is not valid ends it with an error; the values are not looked into.
func Fields(encoding []byte) iter.Seq2[Field, error] {
	return func(yield func(Field, error) bool) {
		for len(encoding) > 0 {
			number, kind, tag := protowire.ConsumeTag(encoding)
			if tag < 0 {
				yield(Field{}, protowire.ParseError(tag))
				return
			}

			size := protowire.ConsumeFieldValue(number, kind, encoding[tag:])
			if size < 0 {
				yield(Field{}, protowire.ParseError(size))
				return
			}

			if !yield(Field{number, kind, encoding[tag : tag+size]}, nil) {
				return
			}

			encoding = encoding[tag+size:]
		}
	}
}

// Read returns a message of the same type with all that a message has below some of its own fields, even if it is among the unknown
// ones. These are the first of the paths. The messages may share content.
func Read(m protoreflect.Message, paths []schema.FieldPath) (protoreflect.Message, error) {
	if len(m.GetUnknown()) == 0 {
		return m, nil
	}

	encoding, err := Encoding(m.Interface())
	if err != nil {
		return nil, err
	}

	var part []byte

	for field, err := range Fields(encoding) {
		if err != nil {
			return nil, err
		}

		if slices.ContainsFunc(paths, func(path schema.FieldPath) bool { return path[0].Number() == field.Number }) {
			part = append(protowire.AppendTag(part, field.Number, field.Type), field.Value...)
		}
	}

	out := m.New()
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(part, out.Interface()); err != nil {
		return nil, fmt.Errorf("unmarshal: %w", err)
	}

	return out, nil
}

// Values iterates over the values of a field of an encoded message that has texts, bytes or messages. What is not valid ends it
// with an error, even if it is in another field.
func Values(encoding []byte, number protowire.Number) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for field, err := range Fields(encoding) {
			if err == nil && (field.Number != number || field.Type != protowire.BytesType) {
				continue
			}

			value, _ := protowire.ConsumeBytes(field.Value)
			if !yield(value, err) {
				return
			}
		}
	}
}
