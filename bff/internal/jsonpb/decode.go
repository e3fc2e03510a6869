package jsonpb

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/suggest"
)

// What a document may cost in memory: so many times its own size, and something on top for the message itself.
const (
	costFactor = 64
	costBase   = 64 << 10
)

// Costs in bytes that are not the size of a message: a place in a list that doubles when it is full, and an entry of a map.
const (
	elementCost = 32
	entryCost   = 128
)

// decoder reads one document into a message, as protojson does and stricter: errors say where, nesting is limited, and so is the
// memory that is used in relation to the document.
type decoder struct {
	scanner

	plans   *plans
	depth   int // How deep what comes may be nested.
	budget  int64
	lenient bool // Unknown fields and enum names are passed over.

	// mask gets the paths of what the document sets, by proto names. Nil: nobody asks.
	mask *[]string
	// prefix is the path of the message that is being read, with a dot behind it.
	prefix string
}

// document reads a document that value reads, and nothing behind it.
func (d *decoder) document(value func() *Error) *Error {
	d.space()

	if err := value(); err != nil {
		return err
	}

	if d.pos < len(d.data) {
		return d.syntax("something stands after the document")
	}

	return nil
}

// spend counts memory that reading the document takes.
func (d *decoder) spend(bytes int64) *Error {
	d.budget -= bytes
	if d.budget < 0 {
		return faultf("the document would take far more memory than its own size")
	}

	return nil
}

// message reads into an empty message.
func (d *decoder) message(p *plan, m protoreflect.Message) *Error {
	if p.form != formObject {
		return d.wellKnown(p, m)
	}

	return d.members(p, m, false)
}

// members reads an object into a message. Within an Any one member names the type.
func (d *decoder) members(p *plan, m protoreflect.Message, typed bool) *Error {
	d.depth--
	defer func() { d.depth++ }()

	var seen, oneofs numbers

	return d.object(d.depth+1, func(name []byte) *Error {
		if typed && string(name) == typeMember {
			return d.skip(d.depth)
		}

		f, err := d.find(p, name)
		if err != nil {
			return err
		}

		if f == nil {
			return d.skip(d.depth)
		}

		if !seen.add(int(f.desc.Number())) {
			return faultf("is there twice").in(f.name)
		}

		if !f.null && d.literal("null") {
			d.note(f)

			return nil
		}

		if f.oneof > 0 && !oneofs.add(f.oneof) {
			return faultf("is a second member of the oneof %q", f.desc.ContainingOneof().Name()).in(f.name)
		}

		if err := d.field(f, m); err != nil {
			return err.in(f.name)
		}

		return nil
	})
}

// find returns the field with this name; nil if the member is to be passed over.
func (d *decoder) find(p *plan, name []byte) (*field, *Error) {
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
		return nil, faultf("%q does not extend %s", clip(name), p.desc.FullName())
	}

	return d.plans.extension(desc), nil
}

// field reads a value that is there.
func (d *decoder) field(f *field, m protoreflect.Message) *Error {
	switch {
	case f.desc.IsMap():
		d.note(f)

		return d.unmasked(func() *Error { return d.entries(f, m.Mutable(f.desc).Map()) })
	case f.desc.IsList():
		d.note(f)

		return d.unmasked(func() *Error { return d.elements(f, m.Mutable(f.desc).List()) })
	case f.message != nil:
		return d.singular(f, m)
	}

	value, ok, err := d.scalar(f)
	if err == nil && ok {
		d.note(f)
		m.Set(f.desc, value)
	}

	return err
}

// singular reads a message that is a field of another.
func (d *decoder) singular(f *field, m protoreflect.Message) *Error {
	value := m.NewField(f.desc)
	if err := d.spend(f.message.sizeOf(value.Message().Interface())); err != nil {
		return err
	}

	read := func() *Error { return d.message(f.message, value.Message()) }

	if err := d.within(f, read); err != nil {
		return err
	}

	m.Set(f.desc, value)

	return nil
}

func (d *decoder) elements(f *field, list protoreflect.List) *Error {
	d.depth--
	defer func() { d.depth++ }()

	return d.array(d.depth+1, func(i int) *Error {
		if err := d.spend(elementCost); err != nil {
			return err
		}

		value, ok, err := d.element(f, list.NewElement)
		if err != nil {
			return err.at(i)
		}

		if ok {
			list.Append(value)
		}

		return nil
	})
}

// element reads an element of a list or a value of a map. It may have to be left out.
func (d *decoder) element(f *field, fresh func() protoreflect.Value) (protoreflect.Value, bool, *Error) {
	if f.message == nil {
		return d.scalar(f)
	}

	value := fresh()
	if err := d.spend(f.message.sizeOf(value.Message().Interface())); err != nil {
		return value, false, err
	}

	return value, true, d.message(f.message, value.Message())
}

func (d *decoder) entries(f *field, entries protoreflect.Map) *Error {
	d.depth--
	defer func() { d.depth++ }()

	return d.object(d.depth+1, func(name []byte) *Error {
		if err := d.spend(entryCost); err != nil {
			return err
		}

		key, err := mapKey(f.key.desc.Kind(), string(name))
		if err != nil {
			return err
		}

		if entries.Has(key) {
			return faultf("is there twice").key(string(name))
		}

		value, ok, err := d.element(f.value, entries.NewValue)
		if err != nil {
			return err.key(string(name))
		}

		if ok {
			entries.Set(key, value)
		}

		return nil
	})
}

// note adds a field to the mask.
func (d *decoder) note(f *field) {
	if d.mask != nil {
		*d.mask = append(*d.mask, d.prefix+string(f.desc.Name()))
	}
}

// within reads a message of which the fields have their own paths in the mask; if it sets none, or has a JSON form of its own, its
// own path stands there.
func (d *decoder) within(f *field, read func() *Error) *Error {
	if d.mask == nil {
		return read()
	}

	if f.message.form != formObject {
		d.note(f)

		return d.unmasked(read)
	}

	count, outer := len(*d.mask), d.prefix
	d.prefix += string(f.desc.Name()) + "."
	err := read()
	d.prefix = outer

	if len(*d.mask) == count {
		d.note(f)
	}

	return err
}

// unmasked reads what has no paths of its own.
func (d *decoder) unmasked(read func() *Error) *Error {
	mask := d.mask
	d.mask = nil
	err := read()
	d.mask = mask

	return err
}

// numbers is a set of small positive numbers. The zero value is empty.
type numbers struct {
	low  uint64
	rest map[int]bool
}

// add tells whether the number is new.
func (n *numbers) add(number int) bool {
	const bits = 64
	if number < bits {
		bit := uint64(1) << number
		fresh := n.low&bit == 0
		n.low |= bit

		return fresh
	}

	if n.rest[number] {
		return false
	}

	if n.rest == nil {
		n.rest = map[int]bool{}
	}

	n.rest[number] = true

	return true
}

// checkInitialized refuses a message in which a required field of proto2 is missing.
func checkInitialized(m proto.Message) *Error {
	if err := proto.CheckInitialized(m); err != nil {
		return faultf("%s", plain(err))
	}

	return nil
}
