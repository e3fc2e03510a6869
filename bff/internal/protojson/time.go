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

const outOfRange = "is out of range"

func (d *decoder) timestamp(m *message, t target) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	at, reason := parseTimestamp(string(text))
	if reason != "" {
		return faultf("%q %s", quote(text), reason)
	}

	d.seconds(m, t, at.Unix(), int32(at.Nanosecond()))

	return nil
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

func (d *decoder) duration(m *message, t target) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	seconds, nanos, reason := parseDuration(string(text))
	if reason != "" {
		return faultf("%q %s", quote(text), reason)
	}

	d.seconds(m, t, seconds, nanos)

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

// appendTime appends a Timestamp or a Duration.
func appendTime(out []byte, form Form, wire []byte) ([]byte, error) {
	const secondsTag, nanosTag = 1 << 3, 2 << 3

	var seconds, nanos uint64

	for len(wire) > 0 {
		tag, n := varint(wire)
		if n < 0 {
			return out, errMalformed
		}

		size := valueSize(tag, wire[n:])
		if size < 0 {
			return out, errMalformed
		}

		switch tag {
		case secondsTag:
			seconds, _ = varint(wire[n:])
		case nanosTag:
			nanos, _ = varint(wire[n:])
		}

		wire = wire[n+size:]
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

// appendDuration appends seconds, with an s behind them.
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
