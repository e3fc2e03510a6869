package protojson_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// old is a file of proto2 that is linked into nothing, with what neither proto3 nor editions that can be extended have.
const old = `
name: "old.proto" package: "old"
message_type {
  name: "Old"
  field {name: "last" number: 900 type: TYPE_INT32 label: LABEL_OPTIONAL}
  field {name: "required" number: 2 type: TYPE_STRING label: LABEL_REQUIRED}
  field {name: "unpacked" number: 3 type: TYPE_SINT64 label: LABEL_REPEATED}
  field {name: "part" number: 4 type: TYPE_GROUP label: LABEL_REPEATED type_name: ".old.Old.Part"}
  field {name: "one" number: 5 type: TYPE_GROUP label: LABEL_OPTIONAL type_name: ".old.Old.One"}
  field {name: "closed" number: 6 type: TYPE_ENUM label: LABEL_OPTIONAL type_name: ".old.Closed" default_value: "CLOSED_TWO"}
  field {name: "closeds" number: 7 type: TYPE_ENUM label: LABEL_REPEATED type_name: ".old.Closed"}
  field {name: "old" number: 8 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".old.Old"}
  field {name: "text" number: 1000 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0}
  field {name: "number" number: 10 type: TYPE_DOUBLE label: LABEL_OPTIONAL oneof_index: 0}
  field {name: "again" number: 11 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".old.Old" oneof_index: 0}
  oneof_decl {name: "choice"}
  nested_type {
    name: "Part"
    field {name: "count" number: 1 type: TYPE_UINT32 label: LABEL_REQUIRED}
    field {name: "inner" number: 2 type: TYPE_GROUP label: LABEL_OPTIONAL type_name: ".old.Old.Part.Inner"}
    nested_type {name: "Inner" field {name: "text" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL}}
  }
  nested_type {name: "One" field {name: "bytes" number: 1 type: TYPE_BYTES label: LABEL_OPTIONAL}}
}
enum_type {name: "Closed" value {name: "CLOSED_ONE" number: 1} value {name: "CLOSED_TWO" number: 2}}
`

// kinds are the types that the tests write.
var kinds = func() []protoreflect.MessageType {
	var file descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(old), &file); err != nil {
		panic(err)
	}

	desc, err := protodesc.NewFile(&file, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}

	return []protoreflect.MessageType{
		(&everyv1.Every{}).ProtoReflect().Type(),
		dynamicpb.NewMessageType(desc.Messages().ByName("Old")),
		(&everyv1.Editions{}).ProtoReflect().Type(),
		(&descriptorpb.FileDescriptorProto{}).ProtoReflect().Type(),
		(&orderv1.ListOrdersResponse{}).ProtoReflect().Type(),
	}
}()

var configs = []config.JSON{{}, {EmitDefaults: true}, {Names: config.NamesProto, EmitDefaults: true}}

var writers = []*protojson.Codec{protojson.New(configs[0]), protojson.New(configs[1]), protojson.New(configs[2])}

// same fails the test if an encoding is written in another way than the packages of protobuf do, with each of the codecs.
func same(tb testing.TB, kind protoreflect.MessageType, wire []byte, codecs ...int) {
	tb.Helper()

	m := kind.New().Interface()
	malformed := proto.Unmarshal(wire, m)

	for _, i := range codecs {
		var want bytes.Buffer

		text, fault := googlejson.MarshalOptions{UseProtoNames: configs[i].Names == config.NamesProto, EmitDefaultValues: configs[i].EmitDefaults}.Marshal(m)
		if fault = cmp.Or(malformed, fault); fault == nil {
			fault = json.Compact(&want, text)
		}

		got, err := writers[i].Append([]byte("before "), undecoded(kind, wire), false)

		switch {
		case err == nil && fault != nil && strings.Contains(fault.Error(), `FieldMask.paths contains invalid path: "*"`):
			// The one thing that Google's package does not write.
		case (err == nil) != (fault == nil):
			tb.Fatalf("%s %x\ngot %q, %v\nwant %q, %v", kind.Descriptor().FullName(), wire, got, err, text, fault)
		case err == nil && string(got) != "before "+want.String():
			tb.Fatalf("%s %x\n got %s\nwant %s", kind.Descriptor().FullName(), wire, got, want.String())
		}
	}
}

// The codecs: one that leaves defaults out, one that writes them, and one that writes names of the proto as well.
const (
	plain = iota
	defaults
	protoNames
)

// undecoded is a message whose fields nobody has looked at.
func undecoded(kind protoreflect.MessageType, wire []byte) proto.Message {
	m := kind.New()
	m.SetUnknown(wire)

	return m.Interface()
}

// choices decide what is generated. When there are no more they are zero.
type choices []byte

func (c *choices) of(n int) int {
	if len(*c) == 0 {
		return 0
	}

	first := (*c)[0]
	*c = (*c)[1:]

	return int(first) % n
}

// message generates an encoding in which records are in any order, missing, there twice, of fields that the message does not have, or
// of another type than their field.
func (c *choices) message(desc protoreflect.MessageDescriptor, depth int) []byte {
	var wire []byte

	fields := fieldsOf(desc)
	for range c.of(9) {
		if len(fields) == 0 || c.of(16) == 15 {
			wire = c.stray(wire)

			continue
		}

		i := c.of(len(fields))
		for range 1 + c.of(4)/2 {
			wire = c.record(wire, fields[i], depth)
		}
	}

	return wire
}

// fieldsOf are the fields of a message and its extensions.
func fieldsOf(desc protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor
	for i := range desc.Fields().Len() {
		fields = append(fields, desc.Fields().Get(i))
	}

	known := len(fields)

	protoregistry.GlobalTypes.RangeExtensionsByMessage(desc.FullName(), func(extension protoreflect.ExtensionType) bool {
		fields = append(fields, extension.TypeDescriptor())

		return true
	})
	slices.SortFunc(fields[known:], func(a, b protoreflect.FieldDescriptor) int { return cmp.Compare(a.Number(), b.Number()) })

	return fields
}

// stray appends a record of any number and type.
func (c *choices) stray(wire []byte) []byte {
	number := protowire.Number(1 + c.of(140))

	switch c.of(5) {
	case 0:
		return protowire.AppendVarint(protowire.AppendTag(wire, number, protowire.VarintType), c.varint())
	case 1:
		return protowire.AppendFixed32(protowire.AppendTag(wire, number, protowire.Fixed32Type), uint32(c.varint()))
	case 2:
		return protowire.AppendFixed64(protowire.AppendTag(wire, number, protowire.Fixed64Type), c.varint())
	case 3:
		return protowire.AppendString(protowire.AppendTag(wire, number, protowire.BytesType), c.text())
	default:
		wire = protowire.AppendTag(wire, number, protowire.StartGroupType)

		return protowire.AppendTag(wire, number, protowire.EndGroupType)
	}
}

func (c *choices) record(wire []byte, desc protoreflect.FieldDescriptor, depth int) []byte {
	number := desc.Number()

	switch {
	case desc.IsMap():
		var in []byte
		if c.of(8) > 0 {
			in = c.record(in, desc.MapKey(), depth)
		}

		for range 1 - c.of(16)/15 + c.of(16)/15 {
			in = c.record(in, desc.MapValue(), depth)
		}

		return protowire.AppendBytes(protowire.AppendTag(wire, number, protowire.BytesType), in)
	case desc.Message() != nil:
		var in []byte
		if depth > 0 {
			in = c.message(desc.Message(), depth-1)
		}

		if desc.Kind() == protoreflect.GroupKind {
			return protowire.AppendGroup(protowire.AppendTag(wire, number, protowire.StartGroupType), number, in)
		}

		return protowire.AppendBytes(protowire.AppendTag(wire, number, protowire.BytesType), in)
	case desc.Kind() == protoreflect.StringKind, desc.Kind() == protoreflect.BytesKind:
		return protowire.AppendString(protowire.AppendTag(wire, number, protowire.BytesType), c.text())
	case desc.IsList() && c.of(2) == 0:
		var in []byte
		for range c.of(4) {
			_, in = c.number(in, desc.Kind())
		}

		return protowire.AppendBytes(protowire.AppendTag(wire, number, protowire.BytesType), in)
	default:
		typ, value := c.number(nil, desc.Kind())

		return append(protowire.AppendTag(wire, number, typ), value...)
	}
}

func (c *choices) number(wire []byte, kind protoreflect.Kind) (protowire.Type, []byte) {
	switch kind {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.Fixed32Type, protowire.AppendFixed32(wire, uint32(c.varint()))
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.Fixed64Type, protowire.AppendFixed64(wire, c.varint())
	case protoreflect.FloatKind:
		return protowire.Fixed32Type, protowire.AppendFixed32(wire, math.Float32bits(float32(c.float())))
	case protoreflect.DoubleKind:
		return protowire.Fixed64Type, protowire.AppendFixed64(wire, math.Float64bits(c.float()))
	default:
		return protowire.VarintType, protowire.AppendVarint(wire, c.varint())
	}
}

func (c *choices) varint() uint64 {
	numbers := []uint64{
		0, 1, 2, 3, 5, 127, 128, 999, 1 << 20, math.MaxInt32, math.MaxUint32, 1 << 32, math.MaxInt64, math.MaxUint64, 1 << 63,
		253402300799, 253402300800, 999999999, 1000000000, math.MaxUint64 - 2,
	}

	return numbers[c.of(len(numbers))]
}

func (c *choices) float() float64 {
	numbers := []float64{
		0, math.Copysign(0, -1), 1, -1.5, 0.1, 1e-6, 9.9e-7, 1e-7, 1e20, 1e21, 1e22, math.NaN(), math.Inf(1), math.Inf(-1),
		math.MaxFloat64, math.SmallestNonzeroFloat64, math.MaxFloat32, 123456789.125,
	}

	return numbers[c.of(len(numbers))]
}

func (c *choices) text() string {
	texts := []string{
		"", "a", "b", "ab_c", "a.b_c", "a__b", "A", "é", "\u65e5\u672c", "\xff", "\"\\\b\f\n\r\t\x00\x7f", "\u2028<&>", "\ufffd",
		"type.googleapis.com/google.protobuf.Duration", "type.googleapis.com/every.v1.Every", "x/google.protobuf.Empty",
		"x/every.v1.Editions", "x/google.protobuf.FieldOptions", "\x08\x01", "\x1a\x01a", strings.Repeat("long ", 9),
	}

	return texts[c.of(len(texts))]
}
