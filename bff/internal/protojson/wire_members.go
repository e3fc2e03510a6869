package protojson

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// members writes the fields of a wireMessage behind the opening brace, or behind other members.
func (s *state) members(out []byte, m *wireMessage, wire []byte) ([]byte, error) {
	mark := len(s.records)

	in, err := s.arrange(m, wire)
	if err != nil {
		return out, err
	}

	next := 0

	for f, tag := in.next(m); f != nil; f, tag = in.next(m) {
		if m.defaults {
			out = m.appendUnset(out, next, f.index)
			next = f.index
		}

		written := len(out)
		out = appendMember(out, f.name)

		var there bool
		if out, there, err = s.wireField(out, f, tag, &in); err != nil {
			return out, err
		}

		if there {
			next = f.index + 1
		} else {
			out = out[:written]
		}
	}

	if m.defaults {
		out = m.appendUnset(out, next, len(m.fields))
	}

	s.records = s.records[:mark]

	return out, nil
}

// appendMember appends what begins a member. Text begins with a comma, which the first one does not need.
func appendMember(out []byte, text string) []byte {
	if out[len(out)-1] == '{' {
		text = text[1:]
	}

	return append(out, text...)
}

// appendUnset appends the fields between two indexes, which are unset.
func (m *wireMessage) appendUnset(out []byte, from, to int) []byte {
	for i := from; i < to; i++ {
		if unset := m.fields[i].unset; unset != "" {
			out = appendMember(out, unset)
		}
	}

	return out
}

// wireField writes the value of a wireField of which the first tag has been read. It is not there if it is what a wireField without presence
// has when it is unset.
func (s *state) wireField(out []byte, f *wireField, tag uint64, in *source) (_ []byte, there bool, err error) {
	switch {
	case f.wireShape == list:
		return s.list(out, f, tag, in)
	case f.wireShape == mapping:
		return s.mapping(out, f, tag, in)
	case !f.isNumber():
		var value []byte
		if value, in.wire, err = f.payload(tag, in.wire); err != nil || len(value) == 0 && !f.presence {
			return out, false, err
		}

		out, err = s.text(out, f, value)

		return out, true, err
	default:
		var value uint64
		if value, in.wire, err = f.number(in.wire); err != nil || value == 0 && !f.presence {
			return out, false, err
		}

		return f.appendNumber(out, value), true, nil
	}
}

func (f *wireField) isNumber() bool {
	return f.wireMessage == nil && f.kind != protoreflect.StringKind && f.kind != protoreflect.BytesKind
}

// payload is a value that is no number: what has its length in front, or is a group.
func (f *wireField) payload(tag uint64, wire []byte) (value, rest []byte, err error) {
	if f.wire != protowire.StartGroupType {
		return take(wire)
	}

	value, n := protowire.ConsumeGroup(protowire.Number(tag>>typeBits), wire)
	if n < 0 {
		return nil, nil, errMalformed
	}

	return value, wire[n:], nil
}

// text writes a string, bytes or a wireMessage.
func (s *state) text(out []byte, f *wireField, value []byte) ([]byte, error) {
	switch {
	case f.wireMessage != nil:
		return s.wireMessage(out, f.wireMessage, value)
	case f.kind == protoreflect.StringKind:
		return appendString(out, value)
	default:
		return appendBase64(out, value), nil
	}
}

// value writes an element of a list or a value of a map.
func (s *state) value(out []byte, f *wireField, tag uint64, wire []byte) (_, rest []byte, err error) {
	if f.isNumber() {
		value, rest, err := f.number(wire)

		return f.appendNumber(out, value), rest, err
	}

	value, rest, err := f.payload(tag, wire)
	if err != nil {
		return out, nil, err
	}

	out, err = s.text(out, f, value)

	return out, rest, err
}

// list writes a list, of which the records follow one another. The first tag has been read.
func (s *state) list(out []byte, f *wireField, tag uint64, in *source) (_ []byte, there bool, err error) {
	out = append(out, '[')
	start := len(out)

	for ok := true; ok; tag, ok = in.again(f, tag>>typeBits) {
		if f.packable && typeOfTag(tag) == protowire.BytesType {
			out, in.wire, err = f.appendPacked(out, in.wire)
		} else {
			out, in.wire, err = s.value(out, f, tag, in.wire)
			out = append(out, ',')
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

// appendPacked appends the numbers of a list that are in one record, with a comma behind each.
func (f *wireField) appendPacked(out, wire []byte) (_, rest []byte, err error) {
	numbers, rest, err := take(wire)

	for err == nil && len(numbers) > 0 {
		var value uint64

		if value, numbers, err = f.number(numbers); err == nil {
			out = append(f.appendNumber(out, value), ',')
		}
	}

	return out, rest, err
}

// entry is an entry of a map.
type entry struct {
	// number is a key that is one, text one that is a string.
	number uint64
	text   []byte
	// tag stands before the value.
	tag   uint64
	value []byte
}

// mapping writes a map, of which the records follow one another. The first tag has been read.
func (s *state) mapping(out []byte, f *wireField, tag uint64, in *source) (_ []byte, there bool, err error) {
	if s.depth++; s.depth > protowire.DefaultRecursionLimit {
		return out, false, errDepth
	}

	first, from := len(s.entries), *in

	regular, err := s.collect(f, tag, in)
	if err == nil && !regular {
		s.entries = s.entries[:first]
		err = s.merge(f, tag, from)
	}

	if err != nil {
		return out, false, err
	}

	out, err = s.appendEntries(out, f, s.entries[first:])
	s.entries = s.entries[:first]
	s.depth--

	return out, true, err
}

// collect puts the entries of a map on the stack, in order. They are regular if they are as encoders write them, and no key is
// there twice.
func (s *state) collect(f *wireField, tag uint64, in *source) (regular bool, err error) {
	first := len(s.entries)
	regular = true

	for ok := true; ok; _, ok = in.again(f, tag>>typeBits) {
		var wire []byte
		if wire, in.wire, err = take(in.wire); err != nil {
			return false, err
		}

		e, ok := f.entry(wire)
		regular = regular && ok

		s.entries = append(s.entries, e)
	}

	entries := s.entries[first:]
	slices.SortFunc(entries, f.key.compare)

	for i := 1; i < len(entries) && regular; i++ {
		regular = f.key.compare(entries[i-1], entries[i]) != 0
	}

	return regular, nil
}

// merge is collect for entries that are not regular.
func (s *state) merge(f *wireField, tag uint64, in source) error {
	var all []byte

	for ok := true; ok; _, ok = in.again(f, tag>>typeBits) {
		entry, rest, err := take(in.wire)
		if err != nil {
			return err
		}

		all = protowire.AppendBytes(protowire.AppendVarint(all, tag), entry)
		in.wire = rest
	}

	wire, err := f.owner.merge(all)
	if err != nil {
		return err
	}

	tag, n := varint(wire)

	regular, err := s.collect(f, tag, &source{wire: wire[max(n, 0):]})
	if err == nil && !regular {
		return errMalformed
	}

	return err
}

func (s *state) appendEntries(out []byte, f *wireField, entries []entry) ([]byte, error) {
	out = append(out, '{')

	for i, e := range entries {
		if i > 0 {
			out = append(out, ',')
		}

		var err error
		if out, err = f.key.appendKey(out, e); err != nil {
			return out, err
		}

		if out, _, err = s.value(append(out, ':'), f.value, e.tag, e.value); err != nil {
			return out, err
		}
	}

	return append(out, '}'), nil
}

// entry reads an entry. It is not as encoders write it unless there are a key and a value behind it, and nothing else.
func (f *wireField) entry(wire []byte) (e entry, ok bool) {
	const key, value = 1 << 3, 2 << 3

	tag, n := varint(wire)
	if n < 0 || tag != key|uint64(f.key.wire) {
		return e, false
	}

	var err error
	if f.key.kind == protoreflect.StringKind {
		e.text, wire, err = take(wire[n:])
	} else {
		e.number, wire, err = f.key.number(wire[n:])
	}

	if err != nil {
		return e, false
	}

	e.tag, n = varint(wire)
	if n < 0 || e.tag != value|uint64(f.value.wire) || n+wireSize(e.tag, wire[n:]) != len(wire) {
		return e, false
	}

	e.value = wire[n:]

	return e, true
}

// compare orders entries by their keys.
func (f *wireField) compare(a, b entry) int {
	switch f.kind {
	case protoreflect.StringKind:
		return bytes.Compare(a.text, b.text)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return cmp.Compare(int32(a.number), int32(b.number))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return cmp.Compare(int64(a.number), int64(b.number))
	default:
		return cmp.Compare(a.number, b.number)
	}
}

// appendKey appends a key, which JSON has as a string.
func (f *wireField) appendKey(out []byte, e entry) ([]byte, error) {
	switch f.kind {
	case protoreflect.StringKind:
		return appendString(out, e.text)
	case protoreflect.BoolKind:
		return append(strconv.AppendBool(append(out, '"'), e.number != 0), '"'), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return append(strconv.AppendInt(append(out, '"'), int64(int32(e.number)), decimal), '"'), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return append(strconv.AppendUint(append(out, '"'), e.number, decimal), '"'), nil
	default:
		return f.appendNumber(out, e.number), nil
	}
}
