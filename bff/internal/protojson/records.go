package protojson

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"
)

// order is how the records of a message lie.
type order uint8

const (
	// inOrder is the order of JSON, each field in one place.
	inOrder order = iota
	shuffled
	// needsMerge is a message that has a field more than once, or two of a oneof.
	needsMerge
)

// record is a field of a message in its encoding, with its tag.
type record struct {
	field int
	wire  []byte
}

// source is where a message is read from: its encoding, or its records, which are left where they are.
type source struct {
	wire []byte
	// rest are the records behind wire.
	rest []record
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
	if tag>>typeBits != number || !f.takes(tag) {
		return 0, false
	}

	in.wire = in.wire[n:]

	return tag, true
}

// next reads up to the next field, and its tag; nil if there is none. All has been scanned.
func (in *source) next(m *message) (f *field, tag uint64) {
	for in.more() {
		tag, n := varint(in.wire)
		if i := m.find(tag); i >= 0 {
			in.wire = in.wire[n:]
			return &m.fields[i], tag
		}

		in.wire = in.wire[n+valueSize(tag, in.wire[n:]):]
	}

	return nil, 0
}

// arrange makes a message readable in the order of JSON, each field in one place. It checks all but what is in the fields. The
// caller takes what it leaves on the stack of records off when it has read the message.
func (e *encoder) arrange(m *message, wire []byte) (source, error) {
	found, err := e.scan(m, wire)
	if err == nil && found == needsMerge {
		if wire, err = m.merge(wire); err == nil {
			found, err = e.scan(m, wire)
		}
	}

	if err != nil || found == inOrder {
		return source{wire: wire}, err
	}

	return source{rest: e.sorted(m, wire)}, nil
}

// scan looks at the records of a message.
func (e *encoder) scan(m *message, wire []byte) (order, error) {
	seen := fieldsSeen{last: -1, before: -1}

	for len(wire) > 0 {
		tag, _, rest, err := splitRecord(wire)
		if err != nil {
			return inOrder, err
		}

		seen.add(m, m.find(tag))

		wire = rest
	}

	if seen.required < m.required && !e.partial && seen.order != needsMerge {
		return seen.order, errRequired
	}

	return seen.order, nil
}

// fieldsSeen are what is seen of the records of a message.
type fieldsSeen struct {
	// set has the indexes of the fields that were seen and, behind them, of the oneofs.
	set set
	// last is the index of the last field, before that of the field of the last record: -1 for one that is unknown.
	last, before int
	required     int
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

	if f.required {
		seen.required++
	}

	seen.last, seen.before = i, i
}

// sorted puts the records that fields have on the stack, in the order of the fields. The encoding has been scanned.
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

// merge makes one record of all that belong together.
func (m *message) merge(wire []byte) ([]byte, error) {
	decoded := m.linked.New().Interface()
	if err := (proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true}).Unmarshal(wire, decoded); err != nil {
		return nil, err
	}

	return proto.MarshalOptions{AllowPartial: true}.Marshal(decoded)
}
