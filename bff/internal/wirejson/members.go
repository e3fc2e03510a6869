package wirejson

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// members writes the fields of a message behind the opening brace, or behind other members.
func (s *state) members(out []byte, m *message, wire []byte) ([]byte, error) {
	mark := len(s.ordered)

	wire, err := s.arrange(m, wire)
	if err != nil {
		return out, err
	}

	next := 0

	for len(wire) > 0 {
		tag, n := varint(wire)

		i := m.find(tag)
		if i < 0 {
			wire = wire[n+valueSize(tag, wire[n:]):]

			continue
		}

		if m.defaults {
			out = m.appendUnset(out, next, i)
			next = i
		}

		written := len(out)
		out = appendMember(out, m.fields[i].name)

		var there bool
		if out, wire, there, err = s.field(out, &m.fields[i], tag, wire[n:]); err != nil {
			return out, err
		}

		if there {
			next = i + 1
		} else {
			out = out[:written]
		}
	}

	if m.defaults {
		out = m.appendUnset(out, next, len(m.fields))
	}

	s.ordered = s.ordered[:mark]

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
func (m *message) appendUnset(out []byte, from, to int) []byte {
	for i := from; i < to; i++ {
		if unset := m.fields[i].unset; unset != "" {
			out = appendMember(out, unset)
		}
	}

	return out
}

// field writes the value of a field, and returns what follows it in the encoding. It is not there if it is what a field without
// presence has when it is unset.
func (s *state) field(out []byte, f *field, tag uint64, wire []byte) (_, rest []byte, there bool, err error) {
	switch {
	case f.shape == list:
		return s.list(out, f, tag, wire)
	case f.shape == mapping:
		return s.mapping(out, f, tag, wire)
	case f.message != nil || f.kind == protoreflect.StringKind || f.kind == protoreflect.BytesKind:
		value, rest, err := f.payload(tag, wire)
		if err != nil {
			return out, nil, false, err
		}

		if len(value) == 0 && !f.presence {
			return out, rest, false, nil
		}

		out, err = s.text(out, f, value)

		return out, rest, true, err
	default:
		value, rest, err := f.number(wire)
		if err != nil {
			return out, nil, false, err
		}

		if value == 0 && !f.presence {
			return out, rest, false, nil
		}

		return f.appendNumber(out, value), rest, true, nil
	}
}

// payload is a value that is no number: what has its length in front, or is a group.
func (f *field) payload(tag uint64, wire []byte) (value, rest []byte, err error) {
	if f.wire != protowire.StartGroupType {
		return take(wire)
	}

	value, n := protowire.ConsumeGroup(protowire.Number(tag>>3), wire) //nolint:gosec,mnd // It is that of a field.
	if n < 0 {
		return nil, nil, errMalformed
	}

	return value, wire[n:], nil
}

// text writes a string, bytes or a message.
func (s *state) text(out []byte, f *field, value []byte) ([]byte, error) {
	switch {
	case f.message != nil:
		return s.message(out, f.message, value)
	case f.kind == protoreflect.StringKind:
		return appendString(out, value)
	default:
		return appendBase64(out, value), nil
	}
}

// value writes an element of a list or a value of a map.
func (s *state) value(out []byte, f *field, tag uint64, wire []byte) (_, rest []byte, err error) {
	if f.message == nil && f.kind != protoreflect.StringKind && f.kind != protoreflect.BytesKind {
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
func (s *state) list(out []byte, f *field, tag uint64, wire []byte) (_, rest []byte, there bool, err error) {
	out = append(out, '[')
	start := len(out)

	for number := tag >> 3; ; { //nolint:mnd // Behind the type.
		if f.packable && protowire.Type(tag&7) == protowire.BytesType { //nolint:gosec,mnd // Three bits.
			out, wire, err = f.appendPacked(out, wire)
		} else {
			out, wire, err = s.value(out, f, tag, wire)
			out = append(out, ',')
		}

		if err != nil {
			return out, nil, false, err
		}

		next, n := varint(wire)
		if len(wire) == 0 || next>>3 != number || !f.takes(protowire.Type(next&7)) { //nolint:gosec,mnd // Three bits.
			break
		}

		tag, wire = next, wire[n:]
	}

	if len(out) == start {
		return out, wire, false, nil
	}

	out[len(out)-1] = ']'

	return out, wire, true, nil
}

// appendPacked appends the numbers of a list that are in one record, with a comma behind each.
func (f *field) appendPacked(out, wire []byte) (_, rest []byte, err error) {
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
func (s *state) mapping(out []byte, f *field, tag uint64, wire []byte) (_, rest []byte, there bool, err error) {
	if s.depth++; s.depth > protowire.DefaultRecursionLimit {
		return out, nil, false, errDepth
	}

	first := len(s.entries)

	rest, regular, err := s.collect(f, tag, wire)
	if err == nil && !regular {
		s.entries = s.entries[:first]
		err = s.merge(f, tag, wire[:len(wire)-len(rest)])
	}

	if err != nil {
		return out, nil, false, err
	}

	out, err = s.appendEntries(out, f, s.entries[first:])
	s.entries = s.entries[:first]
	s.depth--

	return out, rest, true, err
}

// collect puts the entries of a map on the stack, in order, and returns what follows them. They are regular if they are as encoders
// write them, and no key is there twice.
func (s *state) collect(f *field, tag uint64, wire []byte) (rest []byte, regular bool, err error) {
	first := len(s.entries)
	regular = true

	for {
		var in []byte
		if in, wire, err = take(wire); err != nil {
			return nil, false, err
		}

		e, ok := f.entry(in)
		regular = regular && ok
		s.entries = append(s.entries, e)

		next, n := varint(wire)
		if len(wire) == 0 || next != tag {
			break
		}

		wire = wire[n:]
	}

	entries := s.entries[first:]
	slices.SortFunc(entries, f.key.compare)

	for i := 1; i < len(entries) && regular; i++ {
		regular = f.key.compare(entries[i-1], entries[i]) != 0
	}

	return wire, regular, nil
}

// merge is collect for entries that are not regular.
func (s *state) merge(f *field, tag uint64, wire []byte) error {
	wire, err := f.owner.merge(append(protowire.AppendVarint(nil, tag), wire...))
	if err != nil {
		return err
	}

	tag, n := varint(wire)

	_, regular, err := s.collect(f, tag, wire[max(n, 0):])
	if err == nil && !regular {
		return errMalformed
	}

	return err
}

func (s *state) appendEntries(out []byte, f *field, entries []entry) ([]byte, error) {
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
func (f *field) entry(wire []byte) (e entry, ok bool) {
	const key, value = 1 << 3, 2 << 3

	tag, n := varint(wire)
	if n < 0 || tag != key|uint64(f.key.wire) { //nolint:gosec // Not negative.
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
	if n < 0 || e.tag != value|uint64(f.value.wire) || n+valueSize(e.tag, wire[n:]) != len(wire) { //nolint:gosec // Not negative.
		return e, false
	}

	e.value = wire[n:]

	return e, true
}

// compare orders entries by their keys.
func (f *field) compare(a, b entry) int {
	switch f.kind { //nolint:exhaustive // The others are no keys, or ordered as they are.
	case protoreflect.StringKind:
		return bytes.Compare(a.text, b.text)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return cmp.Compare(int32(a.number), int32(b.number)) //nolint:gosec // Bits.
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return cmp.Compare(int64(a.number), int64(b.number)) //nolint:gosec // Bits.
	default:
		return cmp.Compare(a.number, b.number)
	}
}

// appendKey appends a key, which JSON has as a string.
func (f *field) appendKey(out []byte, e entry) ([]byte, error) {
	switch f.kind { //nolint:exhaustive // The others are numbers.
	case protoreflect.StringKind:
		return appendString(out, e.text)
	case protoreflect.BoolKind:
		return append(strconv.AppendBool(append(out, '"'), e.number != 0), '"'), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return append(strconv.AppendInt(append(out, '"'), int64(int32(e.number)), decimal), '"'), nil //nolint:gosec // Bits.
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return append(strconv.AppendUint(append(out, '"'), e.number, decimal), '"'), nil
	default:
		return f.appendNumber(out, e.number), nil
	}
}
