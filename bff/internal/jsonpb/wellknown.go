package jsonpb

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// wellKnown reads a message that has a JSON form of its own.
func (d *decoder) wellKnown(p *plan, m protoreflect.Message) *Error {
	switch p.form {
	case formAny:
		return d.any(m)
	case formTimestamp:
		return d.timestamp(m)
	case formDuration:
		return d.duration(m)
	case formStruct:
		// An entry per member.
		return d.entries(p.fields["fields"], m.Mutable(number(m, 1)).Map())
	case formList:
		return d.elements(p.fields["values"], m.Mutable(number(m, 1)).List())
	case formValue:
		return d.value(p, m)
	case formFieldMask:
		return d.fieldMask(m)
	case formWrapper:
		value, ok, err := d.scalar(p.fields["value"])
		if ok {
			m.Set(number(m, 1), value)
		}

		return err
	case formObject:
		return d.members(p, m, false)
	default:
		return faultf("is a %s, which this gateway does not know", p.desc.FullName())
	}
}

// number is the descriptor of a field of the message, which must be there.
func number(m protoreflect.Message, n protoreflect.FieldNumber) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByNumber(n)
}

// Numbers of the fields of google.protobuf.Value.
const (
	valueNull = iota + 1
	valueNumber
	valueString
	valueBool
	valueStruct
	valueList
)

func (d *decoder) value(p *plan, m protoreflect.Message) *Error {
	switch c := d.peek(); c {
	case '{':
		return d.inValue(p, m, valueStruct, "structValue")
	case '[':
		return d.inValue(p, m, valueList, "listValue")
	case '"':
		return d.plainValue(p, m, valueString, "stringValue")
	case 't', 'f':
		return d.plainValue(p, m, valueBool, "boolValue")
	case 'n':
		return d.plainValue(p, m, valueNull, "nullValue")
	default:
		return d.plainValue(p, m, valueNumber, "numberValue")
	}
}

func (d *decoder) inValue(p *plan, m protoreflect.Message, n protoreflect.FieldNumber, name string) *Error {
	inner := m.NewField(number(m, n))
	if err := d.spend(p.fields[name].message.sizeOf(inner.Message().Interface())); err != nil {
		return err
	}

	if err := d.message(p.fields[name].message, inner.Message()); err != nil {
		return err
	}

	m.Set(number(m, n), inner)

	return nil
}

func (d *decoder) plainValue(p *plan, m protoreflect.Message, n protoreflect.FieldNumber, name string) *Error {
	value, ok, err := d.scalar(p.fields[name])
	if ok {
		m.Set(number(m, n), value)
	}

	return err
}

const outOfRange = "is out of range"

// The range of google.protobuf.Timestamp: the years 1 to 9999.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

func (d *decoder) timestamp(m protoreflect.Message) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	t, reason := parseTimestamp(string(text))
	if reason != "" {
		return faultf("%q %s", quote(text), reason)
	}

	m.Set(number(m, 1), protoreflect.ValueOfInt64(t.Unix()))
	m.Set(number(m, 2), protoreflect.ValueOfInt32(int32(t.Nanosecond()))) //nolint:mnd // The number of the field.

	return nil
}

// parseTimestamp reads RFC 3339 with up to nine digits of a second.
func parseTimestamp(text string) (time.Time, string) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, "is not a time as in RFC 3339"
	}

	if t.Unix() < firstSecond || t.Unix() > lastSecond {
		return t, outOfRange
	}

	// time.Parse passes over digits beyond the ninth.
	point, zone := strings.LastIndexByte(text, '.'), strings.LastIndexAny(text, "Z-+")
	if point >= 0 && zone-point > len(".999999999") {
		return t, "has more than nine digits of a second"
	}

	return t, ""
}

// maxDuration in seconds is 10,000 years.
const maxDuration = 315576000000

func (d *decoder) duration(m protoreflect.Message) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	seconds, nanos, reason := parseDuration(string(text))
	if reason != "" {
		return faultf("%q %s", quote(text), reason)
	}

	m.Set(number(m, 1), protoreflect.ValueOfInt64(seconds))
	m.Set(number(m, 2), protoreflect.ValueOfInt32(nanos)) //nolint:mnd // The number of the field.

	return nil
}

// parseDuration reads seconds with up to nine digits behind the point and an "s" behind them, as google.protobuf.Duration is
// written in JSON.
func parseDuration(text string) (seconds int64, nanos int32, reason string) {
	const (
		malformed = `is not a duration in seconds, such as "1.5s"`
		precision = 9
	)

	number, ok := strings.CutSuffix(text, "s")
	if !ok {
		return 0, 0, malformed
	}

	negative := strings.HasPrefix(number, "-")
	if negative || strings.HasPrefix(number, "+") {
		number = number[1:]
	}

	whole, fraction, pointed := strings.Cut(number, ".")

	switch {
	case whole == "" && !pointed,
		digits([]byte(whole)) != len(whole), digits([]byte(fraction)) != len(fraction),
		len(whole) > 1 && whole[0] == '0':
		return 0, 0, malformed
	case len(fraction) > precision:
		return 0, 0, "has more than nine digits of a second"
	case len(whole) > len("315576000000"):
		return 0, 0, outOfRange
	}

	// They are digits, and few enough.
	seconds, _ = strconv.ParseInt("0"+whole, 10, 64)
	rest, _ := strconv.ParseInt(fraction+strings.Repeat("0", precision-len(fraction)), 10, 32)

	if seconds > maxDuration {
		return 0, 0, outOfRange
	}

	if negative {
		seconds, rest = -seconds, -rest
	}

	return seconds, int32(rest), ""
}

// pathCost in bytes is what a path of a mask takes besides its text, in two lists that grow.
const pathCost = 160

func (d *decoder) fieldMask(m protoreflect.Message) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	if err := d.spend(pathCost * int64(1+bytes.Count(text, []byte(",")))); err != nil {
		return err
	}

	paths, reason := parseFieldMask(string(text))
	if reason != "" {
		return faultf("%s", reason)
	}

	if len(paths) == 0 {
		return nil
	}

	list := m.Mutable(number(m, 1)).List()
	for _, path := range paths {
		list.Append(protoreflect.ValueOfString(path))
	}

	return nil
}

// parseFieldMask reads paths in camelCase with commas between them, and returns them in the spelling of protos.
func parseFieldMask(text string) ([]string, string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, ""
	}

	var paths []string

	for path := range strings.SplitSeq(text, ",") {
		snake := snakeCase(path)
		if strings.Contains(path, "_") || !protoreflect.FullName(snake).IsValid() {
			return nil, strconv.Quote(clip(path)) + " is not a path of fields in camelCase"
		}

		paths = append(paths, snake)
	}

	return paths, ""
}

func snakeCase(camel string) string {
	var out strings.Builder

	for i := range len(camel) {
		c := camel[i]
		if c >= 'A' && c <= 'Z' {
			out.WriteByte('_')

			c += 'a' - 'A'
		}

		out.WriteByte(c)
	}

	return out.String()
}

// Members that an Any has in JSON.
const (
	typeMember  = "@type"
	valueMember = "value"
)

// any reads a message of any type that is linked into this program, which the member "@type" names, and packs it.
func (d *decoder) any(m protoreflect.Message) *Error {
	url, members, err := d.typeURL()
	if err != nil {
		return err
	}

	if url == "" {
		if members > 0 {
			return faultf(`the member "@type" is missing`)
		}

		return d.skip(d.depth)
	}

	found, fault := protoregistry.GlobalTypes.FindMessageByURL(url)
	if fault != nil {
		return faultf("%q is not a type that this gateway knows", clip(url)).in(typeMember)
	}

	inner, p := found.New(), d.plans.of(found.Descriptor())
	if err := d.spend(p.sizeOf(inner.Interface())); err != nil {
		return err
	}

	if p.form == formObject && p.desc.FullName() != "google.protobuf.Empty" {
		err = d.members(p, inner, true)
	} else {
		err = d.anyValue(p, inner)
	}

	if err != nil {
		return err
	}

	packed, fault := proto.MarshalOptions{AllowPartial: true, Deterministic: true}.Marshal(inner.Interface())
	if fault != nil {
		return faultf("cannot be packed")
	}

	m.Set(number(m, 1), protoreflect.ValueOfString(url))
	m.Set(number(m, 2), protoreflect.ValueOfBytes(packed)) //nolint:mnd // The number of the field.

	return d.spend(int64(len(packed)))
}

// typeURL looks ahead for the type, which may come last, and counts the members.
func (d *decoder) typeURL() (url string, members int, err *Error) {
	ahead := d.scanner
	found := false

	err = ahead.object(d.depth, func(name []byte) *Error {
		members++

		if string(name) != typeMember {
			return ahead.skip(d.depth - 1)
		}

		text, err := ahead.text()

		switch {
		case err != nil:
			return err.in(typeMember)
		case found:
			return faultf("is there twice").in(typeMember)
		case len(text) == 0:
			return faultf("is empty").in(typeMember)
		}

		url, found = string(text), true

		return nil
	})

	return url, members, err
}

// anyValue reads a message with a JSON form of its own, which stands in the member "value".
func (d *decoder) anyValue(p *plan, m protoreflect.Message) *Error {
	d.depth--
	defer func() { d.depth++ }()

	found := false

	err := d.object(d.depth+1, func(name []byte) *Error {
		switch {
		case string(name) == typeMember:
			return d.skip(d.depth)
		case string(name) != valueMember && d.lenient:
			return d.skip(d.depth)
		case string(name) != valueMember:
			return faultf("unknown field").member(string(name))
		case found:
			return faultf("is there twice").in(valueMember)
		}

		found = true

		if err := d.message(p, m); err != nil {
			return err.in(valueMember)
		}

		return nil
	})
	if err == nil && !found && p.form != formObject {
		return faultf("is missing").in(valueMember)
	}

	return err
}
