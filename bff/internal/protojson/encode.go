package protojson

import (
	"errors"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// encoder writes one message as JSON straight from its protobuf encoding, in one pass, since that mostly has the order of JSON.
// Where it does not, its records are sorted, and it is written again; where records must be merged, which encoders do not write,
// proto.Unmarshal and proto.Marshal do it.
type encoder struct {
	tables *tables
	// wire is a buffer for the encoding.
	wire []byte
	// records are those of messages that are not in order, entries those of maps. They are stacks.
	records []record
	entries []entry
	depth   int
	// partial reports whether required fields may be missing.
	partial bool
	// unordered reports that a message could not be written in its own order. The order of all others is looked at first.
	unordered bool
	// protoPaths reports whether paths that JSON cannot hold are written as they are.
	protoPaths bool
}

//nolint:gochecknoglobals // A pool is shared.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// Append appends the JSON of a message to out. All fields of the message may be among its unknown ones. The error is about an
// encoding that is not valid, required fields that are missing, or a value that JSON has no form for; out then holds nothing
// useful.
//
// It is ErrMask for a google.protobuf.FieldMask that JSON has no form for, and errPath if a path does not survive camelCase, such
// as "line_1", as protobuf's conformance tests want. With protoPaths such paths are written in the spelling of the proto. The mask
// "*", which Google's protojson refuses, is written as it is.
func (c *Codec) Append(out []byte, m proto.Message, protoPaths bool) ([]byte, error) {
	return c.append(out, m, protoPaths, nil)
}

// append is Append for the fields that are selected. The others are skipped without a look at what is in them.
func (c *Codec) append(out []byte, m proto.Message, protoPaths bool, of *selection) ([]byte, error) {
	e, _ := encoders.Get().(*encoder)
	e.tables, e.protoPaths = &c.tables, protoPaths

	wire, err := e.encoding(m)
	if err == nil {
		out, err = e.message(out, c.tables.of(m.ProtoReflect().Descriptor()), wire, of)
	}

	e.release()

	return out, err
}

// encoding returns the protobuf encoding of a message, which may be its unknown fields.
func (e *encoder) encoding(m proto.Message) ([]byte, error) {
	if unknown := m.ProtoReflect().GetUnknown(); len(unknown) > 0 && len(unknown) == proto.Size(m) {
		return unknown, nil
	}

	wire, err := proto.MarshalOptions{AllowPartial: true}.MarshalAppend(e.wire[:0], m)
	if err == nil {
		e.wire = wire
	}

	return wire, err
}

// release returns the encoder to the pool, unless it has become large.
func (e *encoder) release() {
	const maxBytes, maxStack = 1 << 20, 1 << 10
	if cap(e.wire) <= maxBytes && cap(e.records) <= maxStack && cap(e.entries) <= maxStack {
		*e = encoder{wire: e.wire[:0], records: e.records[:0], entries: e.entries[:0]}
		encoders.Put(e)
	}
}

var (
	errMalformed = errors.New("the encoding is not valid")
	errDepth     = errors.New("messages are nested too deep")
	errRequired  = errors.New("a required field is missing")
	errOrder     = errors.New("the fields are not in order")
	errUTF8      = errors.New("a string is not valid UTF-8")
)

// message writes a message in the form of its type. One with a form of its own is written as a whole.
func (e *encoder) message(out []byte, m *message, wire []byte, of *selection) ([]byte, error) {
	if e.depth++; e.depth > protowire.DefaultRecursionLimit {
		return out, errDepth
	}

	var err error
	if m.form == FormObject {
		if out, err = e.members(append(out, '{'), m, wire, of); err == nil {
			out = append(out, '}')
		}
	} else {
		out, err = e.wellKnown(out, m, wire)
	}

	e.depth--

	return out, err
}

// members writes the fields of a message after the opening brace, or after other members. Most messages are in the order of JSON,
// and are written without looking at their order first. An error may be about a value that another one replaces.
func (e *encoder) members(out []byte, m *message, wire []byte, of *selection) ([]byte, error) {
	depth, records, entries := e.depth, len(e.records), len(e.entries)

	if of == nil && !e.unordered && depth <= maxUnlooked {
		if written, err := e.fields(out, m, &source{wire: wire}); err == nil {
			return written, nil
		}

		e.unordered, e.depth, e.records, e.entries = true, depth, e.records[:records], e.entries[:entries]
	}

	in, err := e.arrange(m, wire, of)
	if err == nil {
		out, err = e.fields(out, m, &in)
		e.records = e.records[:records]
	}

	return out, err
}

// maxUnlooked is how deep the messages are whose order is not looked at first. It bounds how often those in them may be written
// again.
const maxUnlooked = 8

// fields writes fields that are in order, or returns errOrder.
func (e *encoder) fields(out []byte, m *message, in *source) ([]byte, error) {
	var (
		oneofs set
		// next is the index after that of the last field, unset the first one that appendUnset has not looked at.
		next, unset, required int
	)

	for f, tag := in.next(m); f != nil; f, tag = in.next(m) {
		if f.index < next || f.oneof > 0 && !oneofs.add(f.oneof) {
			return out, errOrder
		}

		if next = f.index + 1; f.required {
			required++
		}

		if m.unset != nil {
			out = m.appendUnset(out, unset, f.index, in.of)
			unset = f.index
		}

		written := len(out)
		out = appendMember(out, f.before)

		var (
			set bool
			err error
		)

		if out, set, err = e.field(out, f, tag, in, in.of.field(f.index)); err != nil {
			return out, err
		}

		if set {
			unset = f.index + 1
		} else {
			out = out[:written]
		}
	}

	if in.more() {
		return out, errMalformed
	}

	if required < m.required && !e.partial && in.of == nil {
		return out, errRequired
	}

	if m.unset != nil {
		out = m.appendUnset(out, unset, len(m.fields), in.of)
	}

	return out, nil
}

// appendMember appends the beginning of a member. The first one needs no comma, which text begins with.
func appendMember(out []byte, text string) []byte {
	if out[len(out)-1] == '{' {
		text = text[1:]
	}

	return append(out, text...)
}

// appendUnset appends the unset fields between two indexes that are selected.
func (m *message) appendUnset(out []byte, from, to int, of *selection) []byte {
	for i, unset := range m.unset[from:max(from, to)] {
		if unset != "" && (of == nil || of.asks(from+i)) {
			out = appendMember(out, unset)
		}
	}

	return out
}

// field writes the value of a field whose first tag has been read. set is false for the zero value of a field without presence.
func (e *encoder) field(out []byte, f *field, tag uint64, in *source, of *selection) (_ []byte, set bool, err error) {
	switch {
	case f.list:
		return e.list(out, f, tag, in, of)
	case f.isMap:
		return e.mapping(out, f, tag, in, of)
	}

	var v scalar
	if v, in.wire, err = f.read(tag, in.wire); err != nil || v.bits == 0 && len(v.text) == 0 && !f.presence {
		return out, false, err
	}

	out, err = e.value(out, f, v, of)

	return out, true, err
}

// value writes a value, or an element of a list or a map.
func (e *encoder) value(out []byte, f *field, v scalar, of *selection) ([]byte, error) {
	if f.message != nil {
		return e.message(out, f.message, v.text, of)
	}

	return f.appendScalar(out, v)
}

// list writes a list, whose records are together. The first tag has been read.
func (e *encoder) list(out []byte, f *field, tag uint64, in *source, of *selection) (_ []byte, set bool, err error) {
	out = append(out, '[')
	start := len(out)

	for ok := true; ok; tag, ok = in.again(f, tag>>typeBits) {
		if f.packed != "" && typeOfTag(tag) == protowire.BytesType {
			out, in.wire, err = f.appendPacked(out, in.wire)
		} else {
			var v scalar
			if v, in.wire, err = f.read(tag, in.wire); err == nil {
				out, err = e.value(out, f, v, of)
				out = append(out, ',')
			}
		}

		if err != nil {
			return out, false, err
		}
	}

	if len(out) == start {
		return out, false, nil
	}

	out[len(out)-1] = ']'

	return out, true, nil
}

// appendPacked appends the numbers of a list that are in one record, each followed by a comma.
func (f *field) appendPacked(out, wire []byte) (_, rest []byte, err error) {
	numbers, rest, err := splitBytes(wire)
	for err == nil && len(numbers) > 0 {
		var v scalar
		if v, numbers, err = f.read(0, numbers); err == nil {
			out, err = f.appendScalar(out, v)
			out = append(out, ',')
		}
	}

	return out, rest, err
}
