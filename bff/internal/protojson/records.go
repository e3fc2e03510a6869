package protojson

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"
)

// order is that of the records of a message.
type order uint8

const (
	// inOrder is the order of JSON, with the records of each field together.
	inOrder order = iota
	shuffled
	// needsMerge means that a singular field is set more than once, or two of a oneof are.
	needsMerge
)

// record is a tag and a value, with the index of their field.
type record struct {
	field int
	wire  []byte
}

// source is what a message is read from: its encoding, or its sorted records.
type source struct {
	wire []byte
	// rest are the records after wire.
	rest []record
	// of is what is read of the message. Nil: all of it.
	of *selection
}

// more reports whether there is something to read.
func (in *source) more() bool {
	for len(in.wire) == 0 {
		if len(in.rest) == 0 {
			return false
		}

		in.wire, in.rest = in.rest[0].wire, in.rest[1:]
	}

	return true
}

// again reads the next tag if it is of this field.
func (in *source) again(f *field, number uint64) (tag uint64, ok bool) {
	if !in.more() {
		return 0, false
	}

	tag, n := varint(in.wire)
	if tag>>typeBits != number || !f.accepts(tag) {
		return 0, false
	}

	in.wire = in.wire[n:]

	return tag, true
}

// next reads the tag of the next known field; nil if there is none, or if what follows is not valid, which arrange has found.
func (in *source) next(m *message) (f *field, tag uint64) {
	for in.more() {
		tag, n := varint(in.wire)
		if n < 0 {
			break
		}

		if i := m.find(tag); i >= 0 && (in.of == nil || in.of.has(i)) {
			in.wire = in.wire[n:]
			return &m.fields[i], tag
		}

		size := valueSize(tag, in.wire[n:])
		if size < 0 {
			break
		}

		in.wire = in.wire[n+size:]
	}

	return nil, 0
}

// arrange makes a message readable in the order of JSON, with the records of each field together. When the message has been read,
// the caller removes what is left on the stack of records.
func (e *encoder) arrange(m *message, wire []byte, of *selection) (source, error) {
	found, err := e.scan(m, wire, of)
	if err == nil && found == needsMerge {
		if wire, err = m.merge(wire); err == nil {
			found, err = e.scan(m, wire, of)
		}
	}

	if err != nil || found == inOrder {
		return source{wire: wire, of: of}, err
	}

	return source{rest: e.sorted(m, wire), of: of}, nil
}

// scan finds out the order of the records of a message.
func (e *encoder) scan(m *message, wire []byte, of *selection) (order, error) {
	seen := fieldsSeen{last: -1, before: -1}

	for len(wire) > 0 {
		tag, _, rest, err := splitRecord(wire)
		if err != nil {
			return inOrder, err
		}

		i := m.find(tag)
		// A member of a oneof may unset another.
		if i >= 0 && !of.has(i) && m.fields[i].oneof == 0 {
			i = -1
		}

		seen.add(m, i)

		wire = rest
	}

	return seen.order, nil
}

// fieldsSeen is what has been seen of the records of a message.
type fieldsSeen struct {
	// set has the indexes of fields and oneofs.
	set set
	// last is the index of the last known field, before that of the last record; -1 for an unknown one.
	last, before int
	order        order
}

// add adds a record, by the index of its field.
func (seen *fieldsSeen) add(m *message, i int) {
	if i < 0 {
		seen.before = i
		return
	}

	f := &m.fields[i]

	switch again := !seen.set.add(i); {
	case again && !f.list && !f.isMap, f.oneof > 0 && !seen.set.add(f.oneof):
		seen.order = needsMerge
	case (i < seen.last || again && i != seen.before) && seen.order == inOrder:
		seen.order = shuffled
	}

	seen.last, seen.before = i, i
}

// sorted puts the records of known fields on the stack, in the order of the fields. The encoding has been scanned.
func (e *encoder) sorted(m *message, wire []byte) []record {
	first := len(e.records)

	for len(wire) > 0 {
		tag, _, rest, _ := splitRecord(wire)
		if i := m.find(tag); i >= 0 {
			e.records = append(e.records, record{i, wire[:len(wire)-len(rest)]})
		}

		wire = rest
	}

	records := e.records[first:]
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.field, b.field) })

	return records
}

// merge makes one record of those that belong together.
func (m *message) merge(wire []byte) ([]byte, error) {
	decoded := m.linked.New().Interface()
	if err := (proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true}).Unmarshal(wire, decoded); err != nil {
		return nil, err
	}

	return proto.MarshalOptions{AllowPartial: true}.Marshal(decoded)
}
