package protojson

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Members of an Any in JSON.
const (
	typeMember  = "@type"
	valueMember = "value"
)

// any reads a message of the type that the member "@type" names, which must be linked into the program, and packs it.
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

	// So that it is encoded as it would be anywhere else.
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

	// It is copied when it is packed, and when all of the message is decoded.
	const copies = 2

	return d.spend(copies*int64(len(packed)) + int64(len(url)) + textCost)
}

// typeMembers are the members "@type" of all objects in a part of the document. They may be the last ones of their objects, so they
// are found by looking ahead: once for all, or an Any in many others would be read once for each.
type typeMembers struct {
	// end is where the part ends.
	end int
	// values has the places of the members' values, by those of the objects; repeated if there is a second one.
	values map[int]int
}

// repeated is in place of the value of a member that is set more than once.
const repeated = -1

// typeMemberCost is how many bytes an entry of typeMembers.values takes.
const typeMemberCost = 4 * slots * wordSize

// typeURL looks ahead for the type. If it is empty, typeURL reports whether there are other members.
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
	// What is unescaped here is copied.
	text, err := value.text()

	switch {
	case err != nil:
		return "", false, err.in(typeMember)
	case len(text) == 0:
		return "", false, faultf("is empty").in(typeMember)
	}

	return string(text), false, nil
}

// lookAhead finds the members "@type" of the next value and of all objects in it.
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

	// Clearing a large map would be slow if it is done for many small values.
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
	// Its contents are not needed, but its capacity is.
	d.unescaped = ahead.unescaped[:len(d.unescaped)]

	return err
}

// anyValue reads a message with a JSON form of its own from the member "value".
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

// any writes the packed message with the name of its type.
func (e *encoder) any(out []byte, m *message, in *source) ([]byte, error) {
	var (
		parts [2][]byte // The URL and the message.
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

	// What is packed may lack required fields.
	partial := e.partial
	e.partial = true

	if inner := e.tables.of(linked.Descriptor()); inner.form == FormObject {
		out, err = e.members(out, inner, packed, nil)
	} else {
		out, err = e.message(append(out, `,"value":`...), inner, packed, nil)
	}

	e.partial = partial

	return append(out, '}'), err
}
