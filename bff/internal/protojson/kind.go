package protojson

import (
	"cmp"
	"math"
	"reflect"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// class groups the kinds of fields whose values are read and written alike.
type class uint8

const (
	classMessage class = iota
	classString
	classBytes
	classBool
	classEnum
	classSigned
	classUnsigned
	classFloat
)

// kind describes a kind of fields.
type kind struct {
	class class
	// bits is the size of a number.
	bits uint8
	// wire is the type of a value in the protobuf encoding; zigzag, whether it is zigzag-encoded.
	wire   protowire.Type
	zigzag bool
	// goType is the type of a field in a generated struct or, for an enum, its underlying type.
	goType reflect.Type
}

func kindOf(of protoreflect.Kind) kind {
	const (
		varint, fixed32, fixed64 = protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type
		length, group            = protowire.BytesType, protowire.StartGroupType
	)

	return [...]kind{
		protoreflect.BoolKind:     {class: classBool, wire: varint, goType: reflect.TypeFor[bool]()},
		protoreflect.EnumKind:     {class: classEnum, bits: 32, wire: varint, goType: reflect.TypeFor[int32]()},
		protoreflect.Int32Kind:    {class: classSigned, bits: 32, wire: varint, goType: reflect.TypeFor[int32]()},
		protoreflect.Sint32Kind:   {class: classSigned, bits: 32, wire: varint, zigzag: true, goType: reflect.TypeFor[int32]()},
		protoreflect.Sfixed32Kind: {class: classSigned, bits: 32, wire: fixed32, goType: reflect.TypeFor[int32]()},
		protoreflect.Int64Kind:    {class: classSigned, bits: 64, wire: varint, goType: reflect.TypeFor[int64]()},
		protoreflect.Sint64Kind:   {class: classSigned, bits: 64, wire: varint, zigzag: true, goType: reflect.TypeFor[int64]()},
		protoreflect.Sfixed64Kind: {class: classSigned, bits: 64, wire: fixed64, goType: reflect.TypeFor[int64]()},
		protoreflect.Uint32Kind:   {class: classUnsigned, bits: 32, wire: varint, goType: reflect.TypeFor[uint32]()},
		protoreflect.Fixed32Kind:  {class: classUnsigned, bits: 32, wire: fixed32, goType: reflect.TypeFor[uint32]()},
		protoreflect.Uint64Kind:   {class: classUnsigned, bits: 64, wire: varint, goType: reflect.TypeFor[uint64]()},
		protoreflect.Fixed64Kind:  {class: classUnsigned, bits: 64, wire: fixed64, goType: reflect.TypeFor[uint64]()},
		protoreflect.FloatKind:    {class: classFloat, bits: 32, wire: fixed32, goType: reflect.TypeFor[float32]()},
		protoreflect.DoubleKind:   {class: classFloat, bits: 64, wire: fixed64, goType: reflect.TypeFor[float64]()},
		protoreflect.StringKind:   {class: classString, wire: length, goType: reflect.TypeFor[string]()},
		protoreflect.BytesKind:    {class: classBytes, wire: length, goType: reflect.TypeFor[[]byte]()},
		protoreflect.MessageKind:  {class: classMessage, wire: length, goType: reflect.TypeFor[*struct{}]()},
		protoreflect.GroupKind:    {class: classMessage, wire: group, goType: reflect.TypeFor[*struct{}]()},
	}[of]
}

// scalar is a value of a field that is not a message.
type scalar struct {
	// text is a string or bytes: a part of what is read.
	text []byte
	// bits are those of an integer, boolean or enum, with its sign extended to 64 bits, or of a floating-point number.
	bits uint64
}

// float is the floating-point number of this size.
func (v scalar) float(bits uint8) float64 {
	if bits == 32 {
		return float64(math.Float32frombits(uint32(v.bits)))
	}

	return math.Float64frombits(v.bits)
}

// value converts the scalar for protoreflect.
func (k *kind) value(v scalar) protoreflect.Value {
	switch k.class {
	case classString:
		return protoreflect.ValueOfString(string(v.text))
	case classBytes:
		return protoreflect.ValueOfBytes(append([]byte{}, v.text...))
	case classBool:
		return protoreflect.ValueOfBool(v.bits != 0)
	case classEnum:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(v.bits))
	case classFloat:
		if k.bits == 32 {
			return protoreflect.ValueOfFloat32(math.Float32frombits(uint32(v.bits)))
		}
		return protoreflect.ValueOfFloat64(math.Float64frombits(v.bits))
	case classSigned:
		if k.bits == 32 {
			return protoreflect.ValueOfInt32(int32(v.bits))
		}
		return protoreflect.ValueOfInt64(int64(v.bits))
	default:
		if k.bits == 32 {
			return protoreflect.ValueOfUint32(uint32(v.bits))
		}
		return protoreflect.ValueOfUint64(v.bits)
	}
}

// fits reports whether an integer is in the range of the kind.
func (k *kind) fits(n int64) bool {
	switch {
	case k.class == classUnsigned && k.bits == 64:
		return n >= 0
	case k.class == classUnsigned:
		return n == int64(uint32(n))
	default:
		return k.bits == 64 || n == int64(int32(n))
	}
}

// parseInteger reads decimal digits, for a kind of integers or enums.
func (k *kind) parseInteger(text string) (uint64, bool) {
	switch k.class {
	case classSigned, classEnum:
		n, err := strconv.ParseInt(text, 10, int(k.bits))
		return uint64(n), err == nil
	case classUnsigned:
		n, err := strconv.ParseUint(text, 10, int(k.bits))
		return n, err == nil
	default:
		return 0, false
	}
}

// parseKey reads the key of a map, which is always a string in JSON.
func (k *kind) parseKey(name []byte) (v scalar, ok bool) {
	switch k.class {
	case classString:
		return scalar{text: name}, true
	case classBool:
		if string(name) == "true" {
			v.bits = 1
		}

		return v, v.bits == 1 || string(name) == "false"
	default:
		v.bits, ok = k.parseInteger(string(name))
		return v, ok
	}
}

// compare orders keys of maps.
func (k *kind) compare(a, b scalar) int {
	switch k.class {
	case classString:
		return cmp.Compare(string(a.text), string(b.text))
	case classSigned:
		return cmp.Compare(int64(a.bits), int64(b.bits))
	default:
		return cmp.Compare(a.bits, b.bits)
	}
}
