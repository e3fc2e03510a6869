package protojson

import (
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const decimal = 10

// varint reads a varint. Its length is negative if there is none.
func varint(wire []byte) (uint64, int) {
	if len(wire) > 0 && wire[0] < 0x80 {
		return uint64(wire[0]), 1
	}

	return protowire.ConsumeVarint(wire)
}

// take splits a value off that has its length in front.
func take(wire []byte) (value, rest []byte, err error) {
	size, n := varint(wire)
	if n < 0 || size > uint64(len(wire)-n) {
		return nil, nil, errMalformed
	}

	end := n + int(size)

	return wire[n:end], wire[end:], nil
}

// number reads a number or boolean, or the number of an enum. Zero is zero in all types.
func (f *wireField) number(wire []byte) (value uint64, rest []byte, err error) {
	var n int

	switch f.wire { //nolint:exhaustive // The others are no numbers.
	case protowire.VarintType:
		value, n = varint(wire)
	case protowire.Fixed32Type:
		var short uint32

		short, n = protowire.ConsumeFixed32(wire)
		value = uint64(short)
	case protowire.Fixed64Type:
		value, n = protowire.ConsumeFixed64(wire)
	}

	if n < 0 {
		return 0, nil, errMalformed
	}

	switch f.kind { //nolint:exhaustive // The others are as they are.
	case protoreflect.BoolKind:
		if value != 0 {
			value = 1
		}
	case protoreflect.Int32Kind, protoreflect.Uint32Kind, protoreflect.EnumKind:
		value &= math.MaxUint32
	case protoreflect.Sint32Kind:
		value = uint64(protowire.DecodeZigZag(value&math.MaxUint32)) & math.MaxUint32
	case protoreflect.Sint64Kind:
		value = uint64(protowire.DecodeZigZag(value))
	}

	return value, wire[n:], nil
}

// appendNumber appends what number has read.
func (f *wireField) appendNumber(out []byte, value uint64) []byte {
	switch f.kind {
	case protoreflect.BoolKind:
		return strconv.AppendBool(out, value != 0)
	case protoreflect.EnumKind:
		return f.appendEnum(out, protoreflect.EnumNumber(value))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return strconv.AppendInt(out, int64(int32(value)), decimal)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return strconv.AppendUint(out, value, decimal)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		// As a string, since JSON's numbers are floats to many.
		return append(strconv.AppendInt(append(out, '"'), int64(value), decimal), '"')
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return append(strconv.AppendUint(append(out, '"'), value, decimal), '"')
	case protoreflect.FloatKind:
		return appendFloat(out, float64(math.Float32frombits(uint32(value))), 32)
	default:
		return appendFloat(out, math.Float64frombits(value), 64)
	}
}

func (f *wireField) appendEnum(out []byte, number protoreflect.EnumNumber) []byte {
	if f.null {
		return append(out, "null"...)
	}

	if name, ok := f.enum[number]; ok {
		return append(out, name...)
	}

	return strconv.AppendInt(out, int64(number), decimal)
}

// appendFloat appends a float of so many bits, as encoding/json does; what is no number is a string.
func appendFloat(out []byte, value float64, bits int) []byte {
	switch {
	case math.IsNaN(value):
		return append(out, `"NaN"`...)
	case math.IsInf(value, 1):
		return append(out, `"Infinity"`...)
	case math.IsInf(value, -1):
		return append(out, `"-Infinity"`...)
	}

	abs := math.Abs(value)

	const small, large = 1e-6, 1e21

	exponent := abs < small || abs >= large
	if bits == 32 {
		exponent = float32(abs) < small || float32(abs) >= large
	}

	if abs == 0 || !exponent {
		return strconv.AppendFloat(out, value, 'f', -1, bits)
	}

	out = strconv.AppendFloat(out, value, 'e', -1, bits)

	// 1e-07 is 1e-7.
	if n := len(out); n >= 4 && out[n-4] == 'e' && out[n-3] == '-' && out[n-2] == '0' {
		out[n-2] = out[n-1]
		out = out[:n-1]
	}

	return out
}
