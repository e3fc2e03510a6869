package protojson

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// entry is an entry of a map in the protobuf encoding.
type entry struct {
	key scalar
	// tag is that of the value.
	tag   uint64
	value []byte
}

// mapping writes a map, whose records are together. The first tag has been read.
func (e *encoder) mapping(out []byte, f *field, tag uint64, in *source, of *selection) (_ []byte, set bool, err error) {
	if e.depth++; e.depth > protowire.DefaultRecursionLimit {
		return out, false, errDepth
	}

	first, from := len(e.entries), *in

	regular, err := e.collect(f, tag, in)
	if err == nil && !regular {
		e.entries = e.entries[:first]
		err = e.merge(f, tag, from)
	}

	if err != nil {
		return out, false, err
	}

	out, err = e.appendEntries(out, f, e.entries[first:], of)
	e.entries = e.entries[:first]
	e.depth--

	return out, true, err
}

// collect puts the entries of a map on the stack, sorted. They are regular if they are as encoders write them, and no key is
// repeated.
func (e *encoder) collect(f *field, tag uint64, in *source) (regular bool, err error) {
	first := len(e.entries)
	regular = true

	for ok := true; ok; _, ok = in.again(f, tag>>typeBits) {
		var wire []byte
		if wire, in.wire, err = splitBytes(in.wire); err != nil {
			return false, err
		}

		entry, ok := f.entry(wire)
		regular = regular && ok
		e.entries = append(e.entries, entry)
	}

	compare := func(a, b entry) int { return f.key.compare(a.key, b.key) }
	entries := e.entries[first:]
	slices.SortFunc(entries, compare)

	for i := 1; i < len(entries) && regular; i++ {
		regular = compare(entries[i-1], entries[i]) != 0
	}

	return regular, nil
}

// merge is collect for entries that are not regular.
func (e *encoder) merge(f *field, tag uint64, in source) error {
	var all []byte

	for ok := true; ok; _, ok = in.again(f, tag>>typeBits) {
		entry, rest, err := splitBytes(in.wire)
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

	regular, err := e.collect(f, tag, &source{wire: wire[max(n, 0):]})
	if err == nil && !regular {
		return errMalformed
	}

	return err
}

func (e *encoder) appendEntries(out []byte, f *field, entries []entry, of *selection) ([]byte, error) {
	out = append(out, '{')

	for _, entry := range entries {
		before := len(out)
		if out[before-1] != '{' {
			out = append(out, ',')
		}

		start := len(out)

		var err error

		out, err = f.key.appendKey(out, entry.key)
		inner, selected := of.entry(out[start:])

		switch {
		case !selected:
			// Even if the key cannot be written.
			out = out[:before]
			continue
		case err != nil:
			return out, err
		}

		v, _, err := f.value.read(entry.tag, entry.value)
		if err != nil {
			return out, err
		}

		if out, err = e.value(append(out, ':'), f.value, v, inner); err != nil {
			return out, err
		}
	}

	return append(out, '}'), nil
}

// entry reads an entry. It is ok if it is a key followed by a value, as encoders write it.
func (f *field) entry(wire []byte) (e entry, ok bool) {
	const key, value = 1 << typeBits, 2 << typeBits

	tag, n := varint(wire)
	if n < 0 || tag != key|uint64(f.key.wire) {
		return e, false
	}

	var err error
	if e.key, wire, err = f.key.read(tag, wire[n:]); err != nil {
		return e, false
	}

	e.tag, e.value, wire, err = splitRecord(wire)

	return e, err == nil && e.tag == value|uint64(f.value.wire) && len(wire) == 0
}
