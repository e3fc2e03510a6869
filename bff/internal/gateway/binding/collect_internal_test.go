package binding

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

func newValidator(tb testing.TB) protovalidate.Validator {
	tb.Helper()

	validator, err := protovalidate.New()
	if err != nil {
		tb.Fatal(err)
	}

	return validator
}

// Once, only every 256th rule was passed over after the deadline, so that the work went on.
func TestValidationStopsAtTheDeadline(t *testing.T) {
	t.Parallel()

	const elements, before = 10_000, 1000

	m := &everyv1.CheckRequest{}
	for range elements {
		m.InnerList = append(m.InnerList, &everyv1.CheckRequest_Inner{})
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	c := newCollector(ctx, newValidator(t), m, nil)
	asked, after := 0, 0

	filter := protovalidate.FilterFunc(func(m protoreflect.Message, of protoreflect.Descriptor) bool {
		if asked++; asked == before {
			cancel()
		}

		wanted := c.ShouldValidate(m, of)
		if wanted && asked >= before {
			after++
		}

		return wanted
	})

	if err := c.validator.Validate(m, protovalidate.WithFilter(filter)); err != nil {
		t.Error(err)
	}

	if most := 256; asked < elements || after > most {
		t.Errorf("of %d rules %d were evaluated after the end", asked, after)
	}

	if _, _, err := c.collect(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// short is a message type with a list and a map of strings that may have three characters.
func short(tb testing.TB) protoreflect.MessageDescriptor {
	tb.Helper()

	three := validate.FieldRules_builder{String: validate.StringRules_builder{MaxLen: new(uint64(3))}.Build()}.Build()
	ruled := func(rules *validate.FieldRules) *descriptorpb.FieldOptions {
		options := &descriptorpb.FieldOptions{}
		proto.SetExtension(options, validate.E_Field, rules)

		return options
	}
	text := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	one, many := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()

	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("short.proto"), Package: new("short"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: new("Short"),
			Field: []*descriptorpb.FieldDescriptorProto{
				{
					Name: new("list"), Number: new(int32(1)), Type: text, Label: many,
					Options: ruled(validate.FieldRules_builder{Repeated: validate.RepeatedRules_builder{Items: three}.Build()}.Build()),
				},
				{
					Name: new("by_name"), Number: new(int32(2)), Label: many,
					Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), TypeName: new(".short.Short.ByNameEntry"),
					Options: ruled(validate.FieldRules_builder{Map: validate.MapRules_builder{Keys: three, Values: three}.Build()}.Build()),
				},
				{Name: new("text"), Number: new(int32(3)), Type: text, Label: one, Options: ruled(three)},
			},
			NestedType: []*descriptorpb.DescriptorProto{{
				Name: new("ByNameEntry"), Options: &descriptorpb.MessageOptions{MapEntry: new(true)},
				Field: []*descriptorpb.FieldDescriptorProto{
					{Name: new("key"), Number: new(int32(1)), Type: text, Label: one},
					{Name: new("value"), Number: new(int32(2)), Type: text, Label: one},
				},
			}},
		}},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}

	return file.Messages().Get(0)
}

// Once, of several elements at fault in a list of scalars one was listed, and the answer said that there were no more.
func TestFaultsOfScalarsMayBeMore(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		set  func(m protoreflect.Message, fields protoreflect.FieldDescriptors)
		want int
		more bool
	}{
		"list": {func(m protoreflect.Message, fields protoreflect.FieldDescriptors) {
			list := m.Mutable(fields.ByName("list")).List()
			list.Set(3, protoreflect.ValueOfString("long"))
			list.Set(7, protoreflect.ValueOfString("long"))
		}, 1, true},
		"values": {func(m protoreflect.Message, fields protoreflect.FieldDescriptors) {
			for i := range 3 {
				m.Mutable(fields.ByName("by_name")).Map().Set(
					protoreflect.ValueOfString(fmt.Sprint(i)).MapKey(), protoreflect.ValueOfString("long"))
			}
		}, 1, true},
		"keys": {func(m protoreflect.Message, fields protoreflect.FieldDescriptors) {
			for i := range 3 {
				m.Mutable(fields.ByName("by_name")).Map().Set(
					protoreflect.ValueOfString(fmt.Sprint("long", i)).MapKey(), protoreflect.ValueOfString(""))
			}
		}, 1, true},
		"text": {func(m protoreflect.Message, fields protoreflect.FieldDescriptors) {
			m.Set(fields.ByName("text"), protoreflect.ValueOfString("long"))
		}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := dynamicpb.NewMessage(short(t))
			fields := m.Descriptor().Fields()

			list := m.Mutable(fields.ByName("list")).List()
			for range maxSmall {
				list.Append(protoreflect.ValueOfString("ok"))
			}

			row.set(m, fields)

			c := newCollector(t.Context(), newValidator(t), m, nil)

			violations, more, err := c.collect()
			if len(violations) != row.want || more != row.more || err != nil {
				t.Errorf("%d violations, more: %t, %v", len(violations), more, err)
			}
		})
	}
}
