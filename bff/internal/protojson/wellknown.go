package protojson

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// wellKnown reads a message that has a JSON form of its own.
func (d *decoder) wellKnown(p *plan, t target) *Error {
	switch p.form {
	case FormAny:
		return d.any(p)
	case FormTimestamp:
		return d.timestamp(p, t)
	case FormDuration:
		return d.duration(p, t)
	case FormStruct:
		// An entry per member.
		return d.entries(p.all[0], slot{})
	case FormList:
		return d.elements(p.all[0], t.slot(p.all[0]))
	case FormValue:
		return d.value(p)
	case FormFieldMask:
		return d.fieldMask(p)
	case FormWrapper:
		_, err := d.scalar(p.all[0], t.slot(p.all[0]))

		return err
	case FormObject:
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

// parseFieldMask reads paths in camelCase with commas between them, and returns them in the spelling of protos. "*" is a mask
// for all fields (AIP-134). A path that camelCase cannot hold may be in the proto's spelling, in which it is written.
func parseFieldMask(text string, depth int) ([]string, string) {
	text = strings.TrimSpace(text)

	switch text {
	case "":
		return nil, ""
	case allFields:
		return []string{allFields}, ""
	}

	var paths []string

	for path := range strings.SplitSeq(text, ",") {
		snake := snakeCase(path)

		needless := strings.Contains(path, "_") && (snake != path || CheckPath(path) == nil)
		if needless || !protoreflect.FullName(snake).IsValid() {
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
