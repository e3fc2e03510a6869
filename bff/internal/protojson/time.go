package protojson

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// The ranges of google.protobuf.Timestamp, the years 1 to 9999, and of google.protobuf.Duration, 10,000 years, in seconds.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
	maxDuration = 315576000000
	maxNanos    = 999999999
)

const (
	outOfRange = "is out of range"
	tooPrecise = "has more than nine digits of a second"
)

// time reads a google.protobuf.Timestamp or Duration, which are a string in JSON and have the same two fields.
func (d *decoder) time(m *message, t target) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	var (
		seconds int64
		nanos   int32
		reason  string
	)

	if m.form == FormTimestamp {
		seconds, nanos, reason = parseTimestamp(string(text))
	} else {
		seconds, nanos, reason = parseDuration(string(text))
	}

	if reason != "" {
		return faultf("%q %s", quote(text), reason)
	}

	d.set(&m.fields[0], t.slot(&m.fields[0]), scalar{bits: uint64(seconds)})
	d.set(&m.fields[1], t.slot(&m.fields[1]), scalar{bits: uint64(nanos)})

	return nil
}

// parseTimestamp reads RFC 3339 with up to nine digits of a second.
func parseTimestamp(text string) (seconds int64, nanos int32, reason string) {
	// No time is that long, and time.Parse would copy the text into its error.
	const longest = 64
	if len(text) > longest {
		return 0, 0, "is not a time as in RFC 3339"
	}

	t, err := time.Parse(time.RFC3339Nano, text)
	// time.Parse ignores digits after the ninth.
	point, zone := strings.LastIndexByte(text, '.'), strings.LastIndexAny(text, "Z-+")

	switch {
	case err != nil:
		return 0, 0, "is not a time as in RFC 3339"
	case t.Unix() < firstSecond || t.Unix() > lastSecond:
		return 0, 0, outOfRange
	case point >= 0 && zone-point > len(".999999999"):
		return 0, 0, tooPrecise
	default:
		return t.Unix(), int32(t.Nanosecond()), ""
	}
}

// parseDuration reads seconds with up to nine decimal places, followed by "s".
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

	integer, fraction, pointed := strings.Cut(number, ".")

	switch {
	case integer == "" && !pointed,
		digits([]byte(integer)) != len(integer), digits([]byte(fraction)) != len(fraction),
		len(integer) > 1 && integer[0] == '0':
		return 0, 0, malformed
	case len(fraction) > precision:
		return 0, 0, tooPrecise
	case len(integer) > len("315576000000"):
		return 0, 0, outOfRange
	}

	// Both are digits only, and short enough.
	seconds, _ = strconv.ParseInt("0"+integer, 10, 64)
	rest, _ := strconv.ParseInt(fraction+strings.Repeat("0", precision-len(fraction)), 10, 32)

	if seconds > maxDuration {
		return 0, 0, outOfRange
	}

	if negative {
		seconds, rest = -seconds, -rest
	}

	return seconds, int32(rest), ""
}

// appendTime appends a Timestamp or a Duration.
func appendTime(out []byte, form Form, wire []byte) ([]byte, error) {
	const secondsTag, nanosTag = 1 << 3, 2 << 3

	var seconds, nanos uint64

	for len(wire) > 0 {
		tag, value, rest, err := splitRecord(wire)
		if err != nil {
			return out, err
		}

		switch tag {
		case secondsTag:
			seconds, _ = varint(value)
		case nanosTag:
			nanos, _ = varint(value)
		}

		wire = rest
	}

	if form == FormDuration {
		return appendDuration(out, int64(seconds), int32(nanos))
	}

	return appendTimestamp(out, int64(seconds), int32(nanos))
}

// appendTimestamp appends a time in UTC (RFC 3339).
func appendTimestamp(out []byte, seconds int64, nanos int32) ([]byte, error) {
	if seconds < firstSecond || seconds > lastSecond || nanos < 0 || nanos > maxNanos {
		return out, errors.New("a google.protobuf.Timestamp is out of range")
	}

	out = time.Unix(seconds, 0).UTC().AppendFormat(append(out, '"'), time.RFC3339)

	// The fraction is before the Z.
	return append(appendNanos(out[:len(out)-1], nanos), 'Z', '"'), nil
}

// appendDuration appends seconds, followed by an s.
func appendDuration(out []byte, seconds int64, nanos int32) ([]byte, error) {
	if seconds < -maxDuration || seconds > maxDuration || nanos < -maxNanos || nanos > maxNanos ||
		seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 {
		return out, errors.New("a google.protobuf.Duration is out of range")
	}

	out = append(out, '"')

	if seconds < 0 || nanos < 0 {
		out, seconds, nanos = append(out, '-'), -seconds, -nanos
	}

	return append(appendNanos(strconv.AppendInt(out, seconds, decimal), nanos), 's', '"'), nil
}

// appendNanos appends a fraction of 0, 3, 6 or 9 digits.
func appendNanos(out []byte, nanos int32) []byte {
	if nanos == 0 {
		return out
	}

	digits := [9]byte{}
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + nanos%decimal)
		nanos /= decimal
	}

	n := len(digits)
	for digits[n-1] == '0' && digits[n-2] == '0' && digits[n-3] == '0' {
		n -= 3
	}

	return append(append(out, '.'), digits[:n]...)
}
