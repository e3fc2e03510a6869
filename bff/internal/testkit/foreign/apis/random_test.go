package apis_test

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// filler makes random messages whose rules it does not know.
type filler struct{ *rand.Rand }

// fill sets about every other field.
func (f filler) fill(message protoreflect.Message, depth int) {
	if f.wellKnown(message) {
		return
	}

	fields := message.Descriptor().Fields()

	for i := range fields.Len() {
		field := fields.Get(i)
		oneof := field.ContainingOneof()
		taken := oneof != nil && message.WhichOneof(oneof) != nil

		if taken || f.IntN(2) == 0 && field.Cardinality() != protoreflect.Required || depth == 0 && hasMessage(field) {
			continue
		}

		switch {
		case field.IsMap():
			for range f.IntN(3) {
				value := message.NewField(field).Map().NewValue()
				if value = f.value(field.MapValue(), value, depth-1); value.IsValid() {
					message.Mutable(field).Map().Set(f.value(field.MapKey(), protoreflect.Value{}, 0).MapKey(), value)
				}
			}
		case field.IsList():
			for range f.IntN(3) {
				list := message.Mutable(field).List()
				list.Append(f.value(field, list.NewElement(), depth-1))
			}
		default:
			message.Set(field, f.value(field, message.NewField(field), depth-1))
		}
	}
}

func hasMessage(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && (!field.IsMap() || field.MapValue().Message() != nil)
}

// wellKnown fills a message with a JSON form of its own, and reports whether it is one.
func (f filler) wellKnown(message protoreflect.Message) bool {
	set := func(from proto.Message) bool {
		text, _ := protojson.Marshal(from)

		return protojson.Unmarshal(text, message.Interface()) == nil
	}

	switch message.Descriptor().FullName() {
	case "google.protobuf.Timestamp":
		return set(&timestamppb.Timestamp{Seconds: f.Int64N(4e9) - 2e9, Nanos: f.Int32N(1e9)})
	case "google.protobuf.Duration":
		return set(&durationpb.Duration{Seconds: f.Int64N(1e6), Nanos: f.Int32N(1e9)})
	case "google.protobuf.FieldMask":
		paths := message.Mutable(message.Descriptor().Fields().ByName("paths")).List()
		paths.Append(protoreflect.ValueOfString("display_name"))

		return true
	case "google.protobuf.Any":
		packed, _ := anypb.New(&timestamppb.Timestamp{Seconds: f.Int64N(4e9)})

		return set(packed)
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue":
		list, _ := structpb.NewList([]any{f.text(), f.NormFloat64(), f.IntN(2) == 0, nil, []any{}, map[string]any{f.text(): "x"}})
		of, _ := structpb.NewStruct(map[string]any{f.text(): list.AsSlice()})

		return set(list) || set(of)
	default:
		return false
	}
}

func (f filler) value(field protoreflect.FieldDescriptor, fresh protoreflect.Value, depth int) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		f.fill(fresh.Message(), depth)

		return fresh
	case protoreflect.EnumKind:
		values := field.Enum().Values()

		return protoreflect.ValueOfEnum(values.Get(f.IntN(values.Len())).Number())
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.IntN(2) == 0)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(f.text())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(f.text()))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(f.Float32() * 1e10)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(f.choice(0, -1.5, math.MaxFloat64, math.Inf(1), f.NormFloat64()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(f.Uint32()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(f.Uint32())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(f.Uint64()))
	default:
		return protoreflect.ValueOfUint64(f.Uint64())
	}
}

func (f filler) choice(of ...float64) float64 { return of[f.IntN(len(of))] }

// text is never empty, and stands in paths as well.
func (f filler) text() string {
	letters := []rune("abcXYZ019-_.~ üß€😀&=+?#,;:@!$'()*\"<>[]{}|^`")
	out := []rune{'t'}

	for range f.IntN(12) {
		out = append(out, letters[f.IntN(len(letters))])
	}

	return string(out)
}
