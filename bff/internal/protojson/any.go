package protojson

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Members that an Any has in JSON.
const (
	typeMember  = "@type"
	valueMember = "value"
)

// any reads a message of any type that is linked into this program, which the member "@type" names, and packs it.
func (d *decoder) any(m *message) *Error {
	url, members, err := d.typeURL()
	if err != nil {
		return err
	}

	if url == "" {
		if members {
			return faultf(`the member "@type" is missing`)
		}

		return d.skip()
	}

	found, fault := protoregistry.GlobalTypes.FindMessageByURL(url)
	if fault != nil {
		return faultf("%q is not a type that this gateway knows", Clip(url)).in(typeMember)
	}

	inner := d.tables.of(found.Descriptor())
	if err := d.spend(inner.size); err != nil {
		return err
	}

	start := len(d.out)

	if inner.form == FormObject && inner.desc.FullName() != "google.protobuf.Empty" {
		err = d.members(inner, true, target{})
	} else {
		err = d.anyValue(inner)
	}

	if err != nil {
		return err
	}

	// What is in an Any has the form that it has anywhere else.
	unpacked := found.New()
	if err := d.fill(unpacked, start); err != nil {
		return err
	}

	packed, fault := proto.MarshalOptions{AllowPartial: true, Deterministic: true}.Marshal(unpacked.Interface())
	if fault != nil {
		return faultf("cannot be packed")
	}

	d.out = d.out[:start]
	d.put(&m.fields[0], scalar{text: []byte(url)})
	d.put(&m.fields[1], scalar{text: packed})

	// As it was packed, and as it is unpacked with all else.
	const copies = 2

	return d.spend(copies*int64(len(packed)) + int64(len(url)) + textCost)
}

// typeMembers are the members "@type" of all objects in a part of the document. An Any may have its own last, so one has to look
// ahead; what is found in the objects within is kept, so that Any in Any is not looked through once for each.
type typeMembers struct {
	// end is where the part ends. What begins before it is known.
	end int
	// values are where the values of the members begin, by where the objects do; repeated if there is a second one.
	values map[int]int
}

// repeated is in place of the value of a member that is set more than once.
const repeated = -1

// typeMemberCost is what a place takes in the map.
const typeMemberCost = 4 * slots * wordSize

// typeURL looks ahead for the type. It is empty if there is none; then it reports whether there are other members.
func (d *decoder) typeURL() (url string, members bool, err *Error) {
	start := d.pos
	if start >= d.types.end {
		if err := d.lookAhead(); err != nil {
			return "", false, err
		}
	}

	at, found := d.types.values[start]
	value := d.scanner

	switch {
	case !found:
		members, err = value.enter('{')
		return "", members, err
	case at == repeated:
		return "", false, faultf("is set more than once").in(typeMember)
	}

	value.pos = at
	// What it unescapes is copied.
	text, err := value.text()

	switch {
	case err != nil:
		return "", false, err.in(typeMember)
	case len(text) == 0:
		return "", false, faultf("is empty").in(typeMember)
	}

	return string(text), false, nil
}

// lookAhead finds the members "@type" of the value that is next, and of all that is in it.
func (d *decoder) lookAhead() *Error {
	ahead := d.scanner
	ahead.typed = func(object, value int) *Error {
		if _, found := d.types.values[object]; found {
			value = repeated
		}

		if d.types.values == nil {
			d.types.values = map[int]int{}
		}

		d.types.values[object] = value

		return d.spend(typeMemberCost)
	}

	// A large map would take long to clear for each of many small values.
	if len(d.types.values) > mapSlots {
		d.types.values = nil
	} else {
		clear(d.types.values)
	}

	if d.peek() != '{' {
		return d.wrong("an object")
	}

	err := ahead.skip()
	d.types.end = ahead.pos
	// What it has unescaped is not needed, but the room that it has made for it.
	d.unescaped = ahead.unescaped[:len(d.unescaped)]

	return err
}

// anyValue reads a message with a JSON form of its own, which is in the member "value".
func (d *decoder) anyValue(m *message) *Error {
	more, err := d.enter('{')
	found := false

	for more && err == nil {
		if err = d.anyMember(m, &found); err == nil {
			more, err = d.more('}')
		}
	}

	if err == nil && !found && m.form != FormObject {
		return faultf("is missing").in(valueMember)
	}

	return err
}

func (d *decoder) anyMember(m *message, found *bool) *Error {
	name, err := d.name()

	switch {
	case err != nil:
		return err
	case string(name) == valueMember && *found:
		return faultf("is set more than once").in(valueMember)
	case string(name) == valueMember:
		*found = true

		if err := d.message(m, target{}); err != nil {
			return err.in(valueMember)
		}

		return nil
	case string(name) == typeMember || d.lenient:
		return d.skip()
	default:
		return faultf("unknown field").member(string(name))
	}
}

// any writes the message that is packed in it, with the name of its type.
func (e *encoder) any(out []byte, m *message, in *source) ([]byte, error) {
	var (
		parts [2][]byte // The name and the message.
		err   error
	)

	for f, _ := in.next(m); f != nil; f, _ = in.next(m) {
		part := &parts[0]
		if f.class == classBytes {
			part = &parts[1]
		}

		if *part, in.wire, err = splitBytes(in.wire); err != nil {
			return out, err
		}
	}

	url, packed := parts[0], parts[1]

	switch {
	case len(url) == 0 && len(packed) == 0:
		return append(out, "{}"...), nil
	case len(url) == 0:
		return out, errors.New("a google.protobuf.Any does not name its type")
	}

	linked, err := protoregistry.GlobalTypes.FindMessageByURL(string(url))
	if err != nil {
		return out, fmt.Errorf("a google.protobuf.Any of a type that is not known: %w", err)
	}

	if out, err = appendString(append(out, `{"@type":`...), url); err != nil {
		return out, err
	}

	// What is packed need not be complete.
	partial := e.partial
	e.partial = true

	if inner := e.tables.of(linked.Descriptor()); inner.form == FormObject {
		out, err = e.members(out, inner, packed)
	} else {
		out, err = e.message(append(out, `,"value":`...), inner, packed)
	}

	e.partial = partial

	return append(out, '}'), err
}
