package protojson

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// decoder reads one document like Google's protojson, but stricter: errors have a path, and nesting and memory are limited. A value
// is set in the generated struct where its place is known, which is fastest, or written in protobuf's wire format, from which
// proto.Unmarshal then fills the message.
type decoder struct {
	scanner
	wire

	tables   *tables
	maxDepth int
	// memory is what may still be allocated, buffers the part of it that the buffers had at the last count.
	memory  int64
	buffers int
	// done cancels the reading. It is looked at rarely, as counted by looks.
	done  <-chan struct{}
	looks uint
	// types are those of the Any that is being read, and of all within it.
	types typeMembers
	// lenient skips unknown fields and enum names; protoPaths allows the paths of a mask in the spelling of the proto.
	lenient, protoPaths bool
	// shared is a copy of the document for the strings of the message. Empty: it is not made yet.
	shared string
	// keys are those of the maps that are being read, the innermost's last.
	keys []scalar

	// mask collects the paths of what the document sets, by proto names. Nil: they are not needed.
	mask *[]string
	// prefix is the path of the message that is being read, and a dot.
	prefix string
}

func (c *Codec) decoder(data []byte, options Options) *decoder {
	d, ok := c.decoders.Get().(*decoder)
	if !ok {
		d = &decoder{tables: &c.tables, maxDepth: c.maxDepth}
	}

	d.data, d.pos, d.depth = data, 0, c.maxDepth
	d.lenient, d.mask = options.DiscardUnknown, options.Mask
	d.memory, d.buffers = options.memory(len(data)), cap(d.out)+cap(d.unescaped)
	d.done = options.Done
	d.space()

	return d
}

// release returns a decoder to the pool. Nothing of it may be in use any more.
func (c *Codec) release(d *decoder, options Options) {
	if options.Memory != nil {
		*options.Memory = d.memory
	}

	const maxPooled = 64 << 10
	if cap(d.out)+cap(d.unescaped) > maxPooled {
		return
	}

	clear(d.keys)
	*d = decoder{
		scanner: scanner{unescaped: d.unescaped[:0]}, wire: wire{out: d.out[:0]}, keys: d.keys[:0],
		tables: d.tables, maxDepth: d.maxDepth,
	}
	c.decoders.Put(d)
}

// document reads all of the document into a message.
func (d *decoder) document(m *message, to protoreflect.Message) *Error {
	if err := d.message(m, m.targetOf(to)); err != nil {
		return err
	}

	return d.finish(to)
}

// finish adds what was written to the wire to the message that the document was read into.
func (d *decoder) finish(m protoreflect.Message) *Error {
	if err := d.end(); err != nil {
		return err
	}

	return d.fill(m, 0)
}

// end refuses what comes after the document.
func (d *decoder) end() *Error {
	if d.pos < len(d.data) {
		return d.syntax("unexpected data after the document")
	}

	return nil
}

// members reads an object as a message. With typed, its member "@type" is skipped.
func (d *decoder) members(m *message, typed bool, t target) *Error {
	more, err := d.enter('{')
	seen := set{}

	for next := 0; more && err == nil; {
		var f *field
		if next < len(m.fields) {
			f = &m.fields[next]
		}

		// Most documents have the members in the order of the proto.
		if f == nil || f.member == "" || !d.follows(f.member) {
			if f, err = d.find(m, typed); err != nil {
				return err
			}
		}

		if f == nil {
			err = d.skip()
		} else {
			next = f.index + 1
			err = d.member(f, &seen, t)
		}

		if err == nil {
			more, err = d.more('}')
		}
	}

	return err
}

// find reads the name of a member and returns the field; nil if the value is to be skipped.
func (d *decoder) find(m *message, typed bool) (*field, *Error) {
	name, err := d.name()
	if err != nil || typed && string(name) == typeMember {
		return nil, err
	}

	f, ok := m.byName[string(name)]
	if ok {
		return f, nil
	}

	return nil, d.unknown(m, string(name))
}

// unknown is the error of a member that the message does not have; nil if it may have any.
func (d *decoder) unknown(m *message, name string) *Error {
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		other, _ := protoregistry.GlobalTypes.FindExtensionByName(protoreflect.FullName(name[1 : len(name)-1]))
		if other != nil {
			return faultf("%q does not extend %s", Clip(name), m.desc.FullName())
		}
	}

	if d.lenient {
		return nil
	}

	names := make([]string, m.desc.Fields().Len())
	for i := range names {
		names[i] = m.fields[i].name
	}

	return faultf("unknown field%s", hint.DidYouMean(name, names)).member(name)
}

// member reads the value of a member.
func (d *decoder) member(f *field, seen *set, t target) *Error {
	if !seen.add(f.index) {
		return faultf("is set more than once").in(f.name)
	}

	if !f.null && d.literal("null") {
		d.addPath(f)

		if f.oneof > 0 {
			seen.add(f.nullID())
		}

		return nil
	}

	if f.oneof > 0 && !seen.add(f.oneof) {
		return f.secondMember(seen).in(f.name)
	}

	if f.cost > 0 {
		if err := d.spend(f.cost); err != nil {
			return err.in(f.name)
		}
	}

	if err := d.field(f, t.slot(f)); err != nil {
		return err.in(f.name)
	}

	return nil
}

// nullID marks a member of a oneof as null, which leaves the oneof to the others, in the set of the fields and oneofs seen.
func (f *field) nullID() int { return len(f.owner.fields) + f.owner.desc.Oneofs().Len() + f.index }

// secondMember is the error of a second member of a oneof. It names the first, and changes seen to find it.
func (f *field) secondMember(seen *set) *Error {
	for i := range f.owner.fields {
		other := &f.owner.fields[i]
		if other.oneof == f.oneof && other != f && !seen.add(i) && seen.add(other.nullID()) {
			return faultf("is a second member of the oneof %q, as %s is", f.desc.ContainingOneof().Name(), other.name)
		}
	}

	return faultf("is a second member of the oneof %q", f.desc.ContainingOneof().Name())
}

// field reads a value that is not null.
func (d *decoder) field(f *field, s slot) *Error {
	switch {
	case f.isMap:
		return d.unmasked(f, s, (*decoder).entries)
	case f.list:
		return d.unmasked(f, s, (*decoder).elements)
	case f.message != nil:
		return d.within(f, s)
	}

	ok, err := d.scalar(f, s)
	if ok {
		d.addPath(f)
	}

	return err
}

func (d *decoder) elements(f *field, s slot) *Error {
	more, err := d.enter('[')
	start, cost := 0, f.elementCost

	if s.place == nil {
		start = d.open(f.packed)
	} else {
		// slot.next doubles the list when it is full.
		cost -= cost / 3
	}

	for i := 0; more && err == nil; i++ {
		if err = d.spend(cost); err != nil {
			return err
		}

		var ok bool
		if ok, err = d.element(f, s.next()); err != nil {
			return err.at(i)
		}

		if !ok && s.place != nil {
			s.value.SetLen(s.value.Len() - 1)
		}

		more, err = d.more(']')
	}

	d.close(start)

	return err
}

// element reads an element of a list or a value of a map. Not ok: it is to be left out.
func (d *decoder) element(f *field, s slot) (bool, *Error) {
	if f.message == nil {
		return d.scalar(f, s)
	}

	return true, d.embedded(f, s)
}

// embedded reads a message within another.
func (d *decoder) embedded(f *field, s slot) *Error {
	if err := d.spend(f.message.size); err != nil {
		return err
	}

	if s.place != nil {
		return d.into(f.message, s.message())
	}

	if f.end != "" {
		d.out = append(d.out, f.tag...)
		err := d.message(f.message, target{})
		d.out = append(d.out, f.end...)

		return err
	}

	start := d.open(f.tag)
	err := d.message(f.message, target{})
	d.close(start)

	return err
}

// into reads a message into a struct, and then adds what was written to the wire.
func (d *decoder) into(m *message, t target) *Error {
	start := len(d.out)

	err := d.message(m, t)
	if err != nil || len(d.out) == start {
		return err
	}

	filled := t.value.Addr().Interface().(proto.Message) //nolint:forcetypeassert // Only messages have fields for messages.
	err = d.fill(filled.ProtoReflect(), start)
	d.out = d.out[:start]

	return err
}
