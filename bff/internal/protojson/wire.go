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

// open begins what stands behind a tag and its length, and returns where. Without a tag it does nothing.
func (w *wire) open(tag string) int {
	if tag == "" {
		return 0
	}

	// Most lengths take one byte.
	w.out = append(append(w.out, tag...), 0)

	return len(w.out)
}

// close sets the length of what began there.
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

	switch f.kind {
	case protoreflect.StringKind, protoreflect.BytesKind:
		w.out = protowire.AppendBytes(w.out, v.text)
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		w.out = protowire.AppendVarint(w.out, protowire.EncodeZigZag(int64(v.bits)))
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		w.out = protowire.AppendFixed32(w.out, uint32(v.bits))
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		w.out = protowire.AppendFixed64(w.out, v.bits)
	default:
		w.out = protowire.AppendVarint(w.out, v.bits)
	}
}

// fill adds what is written from there on to a message.
func (w *wire) fill(m protoreflect.Message, start int) *Error {
	// What was read is not nested too deep, but a level in JSON may be more than one here.
	options := proto.UnmarshalOptions{Merge: true, AllowPartial: true, RecursionLimit: math.MaxInt32}
	if err := options.Unmarshal(w.out[start:], m.Interface()); err != nil {
		return faultf("%s", plain(err))
	}

	return nil
}
