package protojson

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// wire is a message that is being written in protobuf's wire format.
type wire struct {
	out []byte
}

// open writes a tag and room for a length, and returns where the value begins. Without a tag it does nothing.
func (w *wire) open(tag string) int {
	if tag == "" {
		return 0
	}

	// Most lengths take one byte.
	w.out = append(append(w.out, tag...), 0)

	return len(w.out)
}

// close sets the length of the value that began at start.
func (w *wire) close(start int) {
	if start == 0 {
		return
	}

	length := uint64(len(w.out) - start)
	if length < 1<<7 {
		w.out[start-1] = byte(length)
		return
	}

	var room [9]byte

	size := protowire.SizeVarint(length)
	w.out = append(w.out, room[:size-1]...)
	copy(w.out[start-1+size:], w.out[start:])
	protowire.AppendVarint(w.out[:start-1], length)
}

// put writes a scalar.
func (w *wire) put(f *field, v scalar) {
	w.out = append(w.out, f.tag...)

	switch {
	case f.wire == protowire.BytesType:
		w.out = protowire.AppendBytes(w.out, v.text)
	case f.wire == protowire.Fixed32Type:
		w.out = protowire.AppendFixed32(w.out, uint32(v.bits))
	case f.wire == protowire.Fixed64Type:
		w.out = protowire.AppendFixed64(w.out, v.bits)
	case f.zigzag:
		w.out = protowire.AppendVarint(w.out, protowire.EncodeZigZag(int64(v.bits)))
	default:
		w.out = protowire.AppendVarint(w.out, v.bits)
	}
}

// fill adds what was written from start on to a message.
func (w *wire) fill(m protoreflect.Message, start int) *Error {
	// The nesting has been limited already, and a level in JSON may be more than one here.
	options := proto.UnmarshalOptions{Merge: true, AllowPartial: true, RecursionLimit: math.MaxInt32}
	if err := options.Unmarshal(w.out[start:], m.Interface()); err != nil {
		return faultf("%s", textOf(err))
	}

	return nil
}

// varint reads a varint. Its length is negative if there is none.
func varint(wire []byte) (uint64, int) {
	if len(wire) == 0 || wire[0] >= 0x80 {
		return protowire.ConsumeVarint(wire)
	}

	return uint64(wire[0]), 1
}

// splitRecord splits off the first record of a message that is not empty.
func splitRecord(wire []byte) (tag uint64, value, rest []byte, err error) {
	tag, n := varint(wire)
	if n < 0 {
		return 0, nil, nil, errMalformed
	}

	size := valueSize(tag, wire[n:])
	if size < 0 {
		return 0, nil, nil, errMalformed
	}

	return tag, wire[n : n+size], wire[n+size:], nil
}

// splitBytes splits off a value that is preceded by its length.
func splitBytes(wire []byte) (value, rest []byte, err error) {
	size, n := varint(wire)
	if n < 0 || size > uint64(len(wire)-n) {
		return nil, nil, errMalformed
	}

	end := n + int(size)

	return wire[n:end], wire[end:], nil
}

// read reads the value after a tag. The encoding of a message is its text.
func (f *field) read(tag uint64, wire []byte) (v scalar, rest []byte, err error) {
	var n int

	switch f.wire {
	case protowire.BytesType:
		v.text, rest, err = splitBytes(wire)
		return v, rest, err
	case protowire.VarintType:
		v.bits, n = varint(wire)
		v.bits = f.fromVarint(v.bits)
	case protowire.Fixed32Type:
		var short uint32

		short, n = protowire.ConsumeFixed32(wire)
		v.bits = uint64(short)

		if f.class == classSigned {
			v.bits = uint64(int32(short))
		}
	case protowire.Fixed64Type:
		v.bits, n = protowire.ConsumeFixed64(wire)
	default:
		v.text, n = protowire.ConsumeGroup(protowire.Number(tag>>typeBits), wire)
	}

	if n < 0 {
		return v, nil, errMalformed
	}

	return v, wire[n:], nil
}

// fromVarint converts a varint to a value of the kind.
func (k *kind) fromVarint(bits uint64) uint64 {
	switch {
	case k.zigzag && k.bits == 32:
		return uint64(protowire.DecodeZigZag(bits & math.MaxUint32))
	case k.zigzag:
		return uint64(protowire.DecodeZigZag(bits))
	case k.bits == 64:
		return bits
	case k.class == classUnsigned:
		return bits & math.MaxUint32
	case k.class == classBool:
		return min(bits, 1)
	default:
		return uint64(int32(bits))
	}
}

// valueSize returns the length of the value that follows a tag. It is negative if there is none.
func valueSize(tag uint64, wire []byte) int {
	number := tag >> typeBits
	if number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
		return -1
	}

	switch typ := typeOfTag(tag); typ {
	case protowire.VarintType:
		_, n := varint(wire)
		return n
	case protowire.BytesType:
		size, n := varint(wire)
		if n < 0 || size > uint64(len(wire)-n) {
			return -1
		}

		return n + int(size)
	default:
		return protowire.ConsumeFieldValue(protowire.Number(number), typ, wire)
	}
}
