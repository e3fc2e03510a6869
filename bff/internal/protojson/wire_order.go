package protojson

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// order is how the records of a wireMessage lie.
type order uint8

const (
	// inOrder is the order of JSON, each wireField in one place.
	inOrder order = iota
	shuffled
	// merging is a wireMessage that has a wireField twice, or two of a oneof.
	merging
)

// record is a wireField of a wireMessage in its encoding, with its tag.
type record struct {
	wireField int
	wire      []byte
}

// source is where a wireMessage is read from: its encoding, or its records, which are left where they are.
type source struct {
	wire []byte
	// rest are the records behind wire.
	rest []record
}

// more tells whether there is something to read.
func (in *source) more() bool {
	for len(in.wire) == 0 {
		if len(in.rest) == 0 {
			return false
		}

		in.wire, in.rest = in.rest[0].wire, in.rest[1:]
	}

	return true
}

// again reads the next tag if it is of this wireField.
func (in *source) again(f *wireField, number uint64) (tag uint64, ok bool) {
	if !in.more() {
		return 0, false
	}

	tag, n := varint(in.wire)
	if tag>>typeBits != number || !f.takes(tag) {
		return 0, false
	}

	in.wire = in.wire[n:]

	return tag, true
}

// next reads up to the next wireField, and its tag; nil if there is none. All has been scanned.
func (in *source) next(m *wireMessage) (f *wireField, tag uint64) {
	for in.more() {
		tag, n := varint(in.wire)
		if i := m.find(tag); i >= 0 {
			in.wire = in.wire[n:]

			return &m.fields[i], tag
		}

		in.wire = in.wire[n+wireSize(tag, in.wire[n:]):]
	}

	return nil, 0
}

// arrange makes a wireMessage readable in the order of JSON, each wireField in one place. It checks all but what is in the fields. The
// caller takes what it leaves on the stack of records off when it has read the wireMessage.
func (s *state) arrange(m *wireMessage, wire []byte) (source, error) {
	found, err := s.scan(m, wire)
	if err == nil && found == merging {
		if wire, err = m.merge(wire); err == nil {
			found, err = s.scan(m, wire)
		}
	}

	if err != nil || found == inOrder {
		return source{wire: wire}, err
	}

	return source{rest: s.sorted(m, wire)}, nil
}

// scan looks at the records of a wireMessage.
func (s *state) scan(m *wireMessage, wire []byte) (order, error) {
	var few [4]uint64

	seen := sightings{fields: few[:], last: -1, before: -1}
	if most := len(m.fields) + m.desc.Oneofs().Len(); most >= bitsPerWord*len(few) {
		seen.fields = make([]uint64, most/bitsPerWord+1)
	}

	for len(wire) > 0 {
		tag, n := varint(wire)
		if n < 0 {
			return inOrder, errMalformed
		}

		size := wireSize(tag, wire[n:])
		if size < 0 {
			return inOrder, errMalformed
		}

		seen.note(m, m.find(tag))

		wire = wire[n+size:]
	}

	if seen.required < m.required && !s.partial && seen.order != merging {
		return seen.order, errRequired
	}

	return seen.order, nil
}

// sightings are what is seen of the records of a wireMessage.
type sightings struct {
	// fields is a set of the fields that were seen and, behind them, of the oneofs.
	fields []uint64
	// last is the index of the last wireField, before that of the wireField of the last record: -1 for one that is unknown.
	last, before int
	required     int
	order        order
}

// note adds a record, by the index of its wireField.
func (seen *sightings) note(m *wireMessage, i int) {
	if i < 0 {
		seen.before = i

		return
	}

	f := &m.fields[i]

	switch again := !add(seen.fields, i); {
	case f.wireShape == singular && again, f.oneof > 0 && !add(seen.fields, len(m.fields)+f.oneof-1):
		seen.order = merging
	case (i < seen.last || again && i != seen.before) && seen.order == inOrder:
		seen.order = shuffled
	}

	if f.required {
		seen.required++
	}

	seen.last, seen.before = i, i
}

const bitsPerWord = 64

// add puts a number into a set, and tells whether it is new.
func add(set []uint64, number int) bool {
	bit := uint64(1) << (number % bitsPerWord)
	fresh := set[number/bitsPerWord]&bit == 0
	set[number/bitsPerWord] |= bit

	return fresh
}

// wireSize is how long the value is that a tag stands before. It is negative if there is none.
func wireSize(tag uint64, wire []byte) int {
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

// sorted puts the records that fields have on the stack, in the order of the fields. The encoding has been scanned.
func (s *state) sorted(m *wireMessage, wire []byte) []record {
	first := len(s.records)

	for len(wire) > 0 {
		tag, n := varint(wire)
		n += wireSize(tag, wire[n:])

		if i := m.find(tag); i >= 0 {
			s.records = append(s.records, record{i, wire[:n]})
		}

		wire = wire[n:]
	}

	records := s.records[first:]
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.wireField, b.wireField) })

	return records
}

// merge makes one record of all that belong together.
func (m *wireMessage) merge(wire []byte) ([]byte, error) {
	decoded := m.kind.New().Interface()
	if err := (proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true}).Unmarshal(wire, decoded); err != nil {
		return nil, err
	}

	return proto.MarshalOptions{AllowPartial: true}.Marshal(decoded)
}
