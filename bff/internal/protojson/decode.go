package protojson

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/suggest"
)

// decoder reads one document as protojson does and stricter: errors say where, nesting is limited, and so is the memory that is
// used in relation to the document. What it reads it sets in the struct that the message is, where it knows the place, which is
// faster than anything else; or it writes it in protobuf's wire format, from which proto.Unmarshal then fills the message.
type decoder struct {
	scanner
	wire

	plans    *plans
	maxDepth int
	// memory is what may still be allocated, and buffers what of it the buffers took the last time that one looked.
	memory  int64
	buffers int
	// done ends the reading, which looks from time to time; looks counts the times that it could.
	done  <-chan struct{}
	looks uint
	// types are those of the Any that is being read, and of all within it.
	types   typeMembers
	lenient bool // Unknown fields and enum names are passed over.
	// keys are those of the maps that are being read, the innermost's last.
	keys []scalar

	// mask gets the paths of what the document sets, by proto names. Nil: they are not needed.
	mask *[]string
	// prefix is the path of the message that is being read, with a dot behind it.
	prefix string
}

func (c *Codec) decoder(data []byte, options Options) *decoder {
	d, ok := c.decoders.Get().(*decoder)
	if !ok {
		d = &decoder{plans: &c.plans, maxDepth: c.maxDepth}
	}

	d.data, d.pos, d.depth = data, 0, c.maxDepth
	d.lenient, d.mask = options.DiscardUnknown, options.Mask
	d.memory, d.buffers = options.memory(len(data)), cap(d.out)+cap(d.unescaped)

	d.done = options.Done

	d.space()

	return d
}

// release gives a decoder back, of which nothing may be in use any more.
func (c *Codec) release(d *decoder, options Options) {
	if options.Memory != nil {
		*options.Memory = d.memory
	}

	const most = 64 << 10
	if cap(d.out)+cap(d.unescaped) > most {
		return
	}

	clear(d.keys)
	*d = decoder{
		scanner: scanner{unescaped: d.unescaped[:0]}, wire: wire{out: d.out[:0]}, keys: d.keys[:0],
		plans: d.plans, maxDepth: d.maxDepth,
	}
	c.decoders.Put(d)
}

// whole reads the document into a message.
func (d *decoder) whole(p *plan, m protoreflect.Message) *Error {
	if err := d.message(p, d.plans.targetOf(p, m)); err != nil {
		return err
	}

	return d.finish(m)
}

// finish adds what has gone by the wire to the message that the document was read into.
func (d *decoder) finish(m protoreflect.Message) *Error {
	if err := d.end(); err != nil {
		return err
	}

	return d.fill(m, 0)
}

// end tells that nothing may stand behind the document.
func (d *decoder) end() *Error {
	if d.pos < len(d.data) {
		return d.syntax("unexpected data after the document")
	}

	return nil
}

// message reads what is in a message.
func (d *decoder) message(p *plan, t target) *Error {
	if p.form != FormObject {
		return d.wellKnown(p, t)
	}

	return d.members(p, false, t)
}

// members reads an object as a message. Within an Any one member names the type.
func (d *decoder) members(p *plan, typed bool, t target) *Error {
	more, err := d.enter('{')
	seen := numbers{}

	for next := 0; more && err == nil; {
		var f *field

		// Most documents have the members in the order of the proto.
		if next < len(p.all) && p.all[next].member != "" && d.follows(p.all[next].member) {
			f = p.all[next]
		} else if f, err = d.find(p, typed); err != nil {
			return err
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

// find passes over the name of a member and returns the field; nil if the value is to be passed over.
func (d *decoder) find(p *plan, typed bool) (*field, *Error) {
	name, err := d.name()
	if err != nil || typed && string(name) == typeMember {
		return nil, err
	}

	if f, ok := p.fields[string(name)]; ok {
		return f, nil
	}

	f, err := d.extension(p, string(name))
	if f != nil || err != nil || d.lenient {
		return f, err
	}

	return nil, faultf("unknown field%s", suggest.DidYouMean(string(name), p.names())).member(string(name))
}

// extension returns the extension that is meant by "[name]"; nil if there is none.
func (d *decoder) extension(p *plan, name string) (*field, *Error) {
	if !strings.HasPrefix(name, "[") || !strings.HasSuffix(name, "]") {
		return nil, nil
	}

	found, err := protoregistry.GlobalTypes.FindExtensionByName(protoreflect.FullName(name[1 : len(name)-1]))
	if err != nil {
		return nil, nil //nolint:nilerr // There is none, and nothing is wrong.
	}

	desc := found.TypeDescriptor()
	if desc.ContainingMessage().FullName() != p.desc.FullName() {
		return nil, faultf("%q does not extend %s", Clip(name), p.desc.FullName())
	}

	return d.plans.other(desc), nil
}

// member reads the value of a member.
func (d *decoder) member(f *field, seen *numbers, t target) *Error {
	if !seen.add(f.id) {
		return faultf("is set more than once").in(f.name)
	}

	if !f.null && d.literal("null") {
		d.note(f)

		if f.oneof > 0 {
			seen.add(nullNumber(f.desc))
		}

		return nil
	}

	if f.oneof > 0 && !seen.add(f.oneof) {
		return secondMember(f.desc, seen).in(f.name)
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

// nullNumber is what is seen if a member of a oneof is null, which leaves the oneof to the others.
func nullNumber(member protoreflect.FieldDescriptor) int {
	message := member.ContainingMessage()

	return message.Fields().Len() + message.Oneofs().Len() + member.Index()
}

// secondMember says that a field is a second member of its oneof, and which is the first. It spoils what was seen.
func secondMember(field protoreflect.FieldDescriptor, seen *numbers) *Error {
	oneof := field.ContainingOneof()

	for i := range oneof.Fields().Len() {
		other := oneof.Fields().Get(i)
		if other.Index() != field.Index() && !seen.add(other.Index()) && seen.add(nullNumber(other)) {
			return faultf("is a second member of the oneof %q, as %s is", oneof.Name(), other.JSONName())
		}
	}

	return faultf("is a second member of the oneof %q", oneof.Name())
}

// field reads a value that is there.
func (d *decoder) field(f *field, s slot) *Error {
	switch {
	case f.key != nil:
		return d.unmasked(f, s, (*decoder).entries)
	case f.list:
		return d.unmasked(f, s, (*decoder).elements)
	case f.message != nil:
		return d.within(f, s)
	}

	ok, err := d.scalar(f, s)
	if ok {
		d.note(f)
	}

	return err
}

func (d *decoder) elements(f *field, s slot) *Error {
	more, err := d.enter('[')
	start, cost := 0, f.elementCost

	if s.place == nil {
		start = d.open(f.packed)
	} else {
		// These are doubled when they are full, see slot.next.
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

// element reads an element of a list or a value of a map. It may have to be left out.
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

// into reads a message into a struct. What has gone by the wire is added in the end.
func (d *decoder) into(p *plan, t target) *Error {
	start := len(d.out)

	err := d.message(p, t)
	if err != nil || len(d.out) == start {
		return err
	}

	m := t.value.Addr().Interface().(proto.Message) //nolint:forcetypeassert // Only messages have fields for messages.
	err = d.fill(m.ProtoReflect(), start)
	d.out = d.out[:start]

	return err
}

// numbers is a set of numbers, of which those below 256 cost nothing. The zero value is empty.
type numbers struct {
	low  [4]uint64
	rest map[int]bool
}

// add reports whether the number is new.
func (s *numbers) add(number int) bool {
	const bits = 64
	if number >= 0 && number < bits*len(s.low) {
		word, bit := &s.low[number/bits], uint64(1)<<(number%bits)
		fresh := *word&bit == 0
		*word |= bit

		return fresh
	}

	if s.rest[number] {
		return false
	}

	if s.rest == nil {
		s.rest = map[int]bool{}
	}

	s.rest[number] = true

	return true
}

// checkInitialized refuses a message in which a required field of proto2 is missing.
func checkInitialized(m proto.Message) *Error {
	if err := proto.CheckInitialized(m); err != nil {
		return faultf("%s", plain(err))
	}

	return nil
}
