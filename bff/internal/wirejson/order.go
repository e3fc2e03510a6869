package wirejson

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// order is how the records of a message lie.
type order uint8

const (
	// inOrder is the order of JSON, each field in one place.
	inOrder order = iota
	shuffled
	// merging is a message that has a field twice, or two of a oneof.
	merging
)

// record is a field of a message in its encoding, with its tag.
type record struct {
	field int
	wire  []byte
}

// arrange returns the encoding of a message in the order of JSON, each field in one place. It checks all but what is in the fields.
func (s *state) arrange(m *message, wire []byte) ([]byte, error) {
	found, err := s.scan(m, wire)
	if err != nil {
		return nil, err
	}

	if found == merging {
		if wire, err = m.merge(wire); err != nil {
			return nil, err
		}

		if found, err = s.scan(m, wire); err != nil {
			return nil, err
		}
	}

	if found == shuffled {
		wire = s.reorder(m, wire)
	}

	return wire, nil
}

// scan looks at the records of a message.
func (s *state) scan(m *message, wire []byte) (order, error) {
	var few [4]uint64

	// Of the fields, and after them of the oneofs.
	seen := few[:]
	if most := len(m.fields) + m.desc.Oneofs().Len(); most >= 64*len(few) {
		seen = make([]uint64, most/64+1)
	}

	// Indexes of the last field, and of the field of the last record: -1 for one that is unknown.
	last, before := -1, -1
	found, required := inOrder, 0

	for len(wire) > 0 {
		tag, n := varint(wire)
		if n < 0 {
			return found, errMalformed
		}

		size := valueSize(tag, wire[n:])
		if size < 0 {
			return found, errMalformed
		}

		wire = wire[n+size:]

		i := m.find(tag)
		if i < 0 {
			before = i

			continue
		}

		f := &m.fields[i]

		switch again := !add(seen, i); {
		case f.shape == singular && again, f.oneof > 0 && !add(seen, len(m.fields)+f.oneof-1):
			found = merging
		case (i < last || again && i != before) && found == inOrder:
			found = shuffled
		}

		if f.required {
			required++
		}

		last, before = i, i
	}

	if required < m.required && !s.partial && found != merging {
		return found, errRequired
	}

	return found, nil
}

// add puts a number into a set, and tells whether it is new.
func add(set []uint64, number int) bool {
	bit := uint64(1) << (number % 64)
	fresh := set[number/64]&bit == 0
	set[number/64] |= bit

	return fresh
}

// valueSize is how long the value is that a tag stands before. It is negative if there is none.
func valueSize(tag uint64, wire []byte) int {
	number := tag >> 3 //nolint:mnd // Behind the type.
	if number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
		return -1
	}

	switch typ := protowire.Type(tag & 7); typ { //nolint:exhaustive,gosec,mnd // Three bits.
	case protowire.VarintType:
		_, n := varint(wire)

		return n
	case protowire.BytesType:
		size, n := varint(wire)
		if n < 0 || size > uint64(len(wire)-n) {
			return -1
		}

		return n + int(size) //nolint:gosec // No more than there is.
	default:
		return protowire.ConsumeFieldValue(protowire.Number(number), typ, wire) //nolint:gosec // It was checked.
	}
}

// reorder puts the records that fields have in order. The encoding has been scanned.
func (s *state) reorder(m *message, wire []byte) []byte {
	first, start := len(s.records), len(s.ordered)

	for len(wire) > 0 {
		tag, n := varint(wire)
		n += valueSize(tag, wire[n:])

		if i := m.find(tag); i >= 0 {
			s.records = append(s.records, record{i, wire[:n]})
		}

		wire = wire[n:]
	}

	slices.SortStableFunc(s.records[first:], func(a, b record) int { return cmp.Compare(a.field, b.field) })

	for _, r := range s.records[first:] {
		s.ordered = append(s.ordered, r.wire...)
	}

	s.records = s.records[:first]

	return s.ordered[start:]
}

// merge makes one record of all that belong together.
func (m *message) merge(wire []byte) ([]byte, error) {
	decoded := m.kind.New().Interface()
	if err := (proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true}).Unmarshal(wire, decoded); err != nil {
		return nil, err //nolint:wrapcheck // It says all.
	}

	return proto.MarshalOptions{AllowPartial: true}.Marshal(decoded) //nolint:wrapcheck // It says all.
}
