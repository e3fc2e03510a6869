package jsonpb

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/wirejson"
)

// wellKnown reads a message that has a JSON form of its own.
func (d *decoder) wellKnown(p *plan, t target) *Error {
	switch p.form {
	case wirejson.FormAny:
		return d.any(p)
	case wirejson.FormTimestamp:
		return d.timestamp(p, t)
	case wirejson.FormDuration:
		return d.duration(p, t)
	case wirejson.FormStruct:
		// An entry per member.
		return d.entries(p.all[0], slot{})
	case wirejson.FormList:
		return d.elements(p.all[0], t.slot(p.all[0]))
	case wirejson.FormValue:
		return d.value(p)
	case wirejson.FormFieldMask:
		return d.fieldMask(p)
	case wirejson.FormWrapper:
		_, err := d.scalar(p.all[0], t.slot(p.all[0]))

		return err
	case wirejson.FormObject:
		return d.members(p, false, t)
	default:
		return faultf("is a %s, which this gateway does not know", p.desc.FullName())
	}
}

// Places of the fields of google.protobuf.Value.
const (
	valueNull = iota
	valueNumber
	valueString
	valueBool
	valueStruct
	valueList
)

func (d *decoder) value(p *plan) *Error {
	place := valueNumber

	switch d.peek() {
	case '{':
		place = valueStruct
	case '[':
		place = valueList
	case '"':
		place = valueString
	case 't', 'f':
		place = valueBool
	case 'n':
		place = valueNull
	}

	_, err := d.element(p.all[place], slot{})

	return err
}

const outOfRange = "is out of range"

// The range of google.protobuf.Timestamp: the years 1 to 9999.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

func (d *decoder) timestamp(p *plan, t target) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	at, reason := parseTimestamp(string(text))
	if reason != "" {
		return faultf("%q %s", quote(text), reason)
	}

	d.seconds(p, t, at.Unix(), int32(at.Nanosecond()))

	return nil
}

// seconds sets the fields of a google.protobuf.Timestamp or Duration.
func (d *decoder) seconds(p *plan, t target, seconds int64, nanos int32) {
	d.set(p.all[0], t.slot(p.all[0]), scalar{bits: uint64(seconds)})
	d.set(p.all[1], t.slot(p.all[1]), scalar{bits: uint64(nanos)})
}

// parseTimestamp reads RFC 3339 with up to nine digits of a second.
func parseTimestamp(text string) (time.Time, string) {
	// No time is that long, and what parses it would copy the text into its error.
	const longest = 64
	if len(text) > longest {
		return time.Time{}, "is not a time as in RFC 3339"
	}

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

func (d *decoder) duration(p *plan, t target) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	seconds, nanos, reason := parseDuration(string(text))
	if reason != "" {
		return faultf("%q %s", quote(text), reason)
	}

	d.seconds(p, t, seconds, nanos)

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

func (d *decoder) fieldMask(p *plan) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	if err := d.spend(maskCost(string(text))); err != nil {
		return err
	}

	paths, reason := parseFieldMask(string(text), d.maxDepth)
	if reason != "" {
		return faultf("%s", reason)
	}

	for _, path := range paths {
		d.put(p.all[0], scalar{text: []byte(path)})
	}

	return nil
}

// parseFieldMask reads paths in camelCase with commas between them, and returns them in the spelling of protos.
func parseFieldMask(text string, depth int) ([]string, string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, ""
	}

	var paths []string

	for path := range strings.SplitSeq(text, ",") {
		snake := snakeCase(path)
		if strings.Contains(path, "_") || !protoreflect.FullName(snake).IsValid() {
			return nil, strconv.Quote(Clip(path)) + " is not a path of fields in camelCase"
		}

		if strings.Count(path, ".") >= depth {
			return nil, strconv.Quote(Clip(path)) + " is nested too deep"
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
func (d *decoder) any(p *plan) *Error {
	url, members, err := d.typeURL()
	if err != nil {
		return err
	}

	if url == "" {
		if members > 0 {
			return faultf(`the member "@type" is missing`)
		}

		return d.skip()
	}

	found, fault := protoregistry.GlobalTypes.FindMessageByURL(url)
	if fault != nil {
		return faultf("%q is not a type that this gateway knows", Clip(url)).in(typeMember)
	}

	inner := d.plans.of(found.Descriptor())
	if err := d.spend(inner.size); err != nil {
		return err
	}

	start := len(d.out)

	if inner.form == wirejson.FormObject && inner.desc.FullName() != "google.protobuf.Empty" {
		err = d.members(inner, true, target{})
	} else {
		err = d.anyValue(inner)
	}

	if err != nil {
		return err
	}

	// What is in an Any has the form that it has anywhere else.
	m := found.New()
	if err := d.fill(m, start); err != nil {
		return err
	}

	packed, fault := proto.MarshalOptions{AllowPartial: true, Deterministic: true}.Marshal(m.Interface())
	if fault != nil {
		return faultf("cannot be packed")
	}

	d.out = d.out[:start]
	d.put(p.all[0], scalar{text: []byte(url)})
	d.put(p.all[1], scalar{text: packed})

	// As it was packed, and as it is unpacked with all else.
	const copies = 2

	return d.spend(copies*int64(len(packed)) + int64(len(url)) + textCost)
}

// typeURL looks ahead for the type, which may come last, and counts the members.
func (d *decoder) typeURL() (url string, members int, err *Error) {
	ahead := d.scanner
	// What it unescapes is not needed, but the room that it makes for it.
	defer func() { d.unescaped = ahead.unescaped[:len(d.unescaped)] }()

	more, err := ahead.enter('{')

	for ; more && err == nil; members++ {
		var name []byte
		if name, err = ahead.name(); err != nil {
			return "", 0, err
		}

		if string(name) == typeMember {
			url, err = ahead.typeOf(url)
		} else {
			err = ahead.skip()
		}

		if err == nil {
			more, err = ahead.more('}')
		}
	}

	return url, members, err
}

// typeOf reads the value of the member "@type", which must not have been there before.
func (s *scanner) typeOf(before string) (string, *Error) {
	text, err := s.text()

	switch {
	case err != nil:
		return "", err.in(typeMember)
	case before != "":
		return "", faultf("is set more than once").in(typeMember)
	case len(text) == 0:
		return "", faultf("is empty").in(typeMember)
	}

	return string(text), nil
}

// anyValue reads a message with a JSON form of its own, which stands in the member "value".
func (d *decoder) anyValue(p *plan) *Error {
	more, err := d.enter('{')
	found := false

	for more && err == nil {
		if err = d.anyMember(p, &found); err == nil {
			more, err = d.more('}')
		}
	}

	if err == nil && !found && p.form != wirejson.FormObject {
		return faultf("is missing").in(valueMember)
	}

	return err
}

func (d *decoder) anyMember(p *plan, found *bool) *Error {
	name, err := d.name()

	switch {
	case err != nil:
		return err
	case string(name) == valueMember && *found:
		return faultf("is set more than once").in(valueMember)
	case string(name) == valueMember:
		*found = true

		if err := d.message(p, target{}); err != nil {
			return err.in(valueMember)
		}

		return nil
	case string(name) == typeMember || d.lenient:
		return d.skip()
	default:
		return faultf("unknown field").member(string(name))
	}
}
