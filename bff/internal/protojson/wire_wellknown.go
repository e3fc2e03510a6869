package protojson

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Form tells which JSON the messages of a type have.
type Form uint8

// The forms: an object of the fields, or one of its own.
const (
	FormObject Form = iota
	FormAny
	FormTimestamp
	FormDuration
	FormWrapper
	FormStruct
	FormList
	FormValue
	FormFieldMask
)

// FormOf is the form of a type.
func FormOf(name protoreflect.FullName) Form {
	switch name {
	case "google.protobuf.Any":
		return FormAny
	case "google.protobuf.Timestamp":
		return FormTimestamp
	case "google.protobuf.Duration":
		return FormDuration
	case "google.protobuf.BoolValue", "google.protobuf.Int32Value", "google.protobuf.Int64Value", "google.protobuf.UInt32Value",
		"google.protobuf.UInt64Value", "google.protobuf.FloatValue", "google.protobuf.DoubleValue", "google.protobuf.StringValue",
		"google.protobuf.BytesValue":
		return FormWrapper
	case "google.protobuf.Struct":
		return FormStruct
	case "google.protobuf.ListValue":
		return FormList
	case "google.protobuf.Value":
		return FormValue
	case "google.protobuf.FieldMask":
		return FormFieldMask
	default:
		return FormObject
	}
}

// wellKnown writes a wireMessage that is no object of its fields.
func (s *state) wellKnown(out []byte, m *wireMessage, wire []byte) ([]byte, error) {
	if m.form == FormTimestamp || m.form == FormDuration {
		return appendTime(out, m.form, wire)
	}

	mark := len(s.records)

	in, err := s.arrange(m, wire)
	if err != nil {
		return out, err
	}

	switch m.form { //nolint:exhaustive // The others are above, or objects.
	case FormAny:
		out, err = s.any(out, m, &in)
	case FormFieldMask:
		out, err = s.fieldMask(out, m, &in)
	case FormStruct, FormList, FormWrapper, FormValue:
		out, err = s.alone(out, m, &in)
	}

	s.records = s.records[:mark]

	return out, err
}

// alone writes a wireMessage that is written as the one wireField is that it has.
func (s *state) alone(out []byte, m *wireMessage, in *source) ([]byte, error) {
	f, tag := in.next(m)

	switch {
	case f == nil && m.form == FormValue:
		return out, errors.New("a google.protobuf.Value has no value")
	case f == nil:
		return append(out, m.fields[0].zero()...), nil
	case m.form == FormValue && f.kind == protoreflect.DoubleKind:
		if number, _, err := f.number(in.wire); err == nil && !finite(math.Float64frombits(number)) {
			return out, errors.New("a google.protobuf.Value is not a finite number")
		}
	}

	start := len(out)

	out, there, err := s.wireField(out, f, tag, in)
	if err == nil && !there {
		out = append(out[:start], f.zero()...)
	}

	return out, err
}

func finite(number float64) bool { return !math.IsNaN(number) && !math.IsInf(number, 0) }

// any writes the wireMessage that is packed in it, with the name of its type.
func (s *state) any(out []byte, m *wireMessage, in *source) ([]byte, error) {
	var (
		parts [2][]byte // The name and the wireMessage.
		err   error
	)

	for f, _ := in.next(m); f != nil; f, _ = in.next(m) {
		part := &parts[0]
		if f.kind == protoreflect.BytesKind {
			part = &parts[1]
		}

		if *part, in.wire, err = take(in.wire); err != nil {
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

	kind, err := protoregistry.GlobalTypes.FindMessageByURL(string(url))
	if err != nil {
		return out, fmt.Errorf("a google.protobuf.Any of a type that is not known: %w", err)
	}

	if out, err = appendString(append(out, `{"@type":`...), url); err != nil {
		return out, err
	}

	// What is packed need not be complete.
	partial := s.partial
	s.partial = true

	if out, err = s.packed(out, s.writer.wireMessage(kind.Descriptor()), packed); err != nil {
		return out, err
	}

	s.partial = partial

	return append(out, '}'), nil
}

// packed writes what is in an Any, behind the name of its type.
func (s *state) packed(out []byte, m *wireMessage, wire []byte) ([]byte, error) {
	switch {
	case m.left:
		start := len(out)

		out, err := s.protojson(append(out, ','), m, wire)
		if err != nil {
			return out, err
		}

		// Without the braces.
		copy(out[start+1:], out[start+2:])

		if out = out[:len(out)-2]; len(out) == start+1 {
			out = out[:start]
		}

		return out, nil
	case m.form == FormObject:
		return s.members(out, m, wire)
	default:
		return s.wireMessage(append(out, `,"value":`...), m, wire)
	}
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

		size := wireSize(tag, wire[n:])
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

const maxNanos = 999999999

// appendTimestamp appends a time in UTC (RFC 3339).
func appendTimestamp(out []byte, seconds int64, nanos int32) ([]byte, error) {
	const (
		earliest, latest = -62135596800, 253402300799
		minute, hour     = 60, 60 * 60
		day              = 24 * hour
		century          = 100
	)

	if seconds < earliest || seconds > latest || nanos < 0 || nanos > maxNanos {
		return out, errors.New("a google.protobuf.Timestamp is out of range")
	}

	year, month, date := time.Unix(seconds, 0).UTC().Date()
	clock := int((seconds - earliest) % day)

	out = appendTwo(appendTwo(append(out, '"'), year/century), year%century)
	out = appendTwo(append(out, '-'), int(month))
	out = appendTwo(append(out, '-'), date)
	out = appendTwo(append(out, 'T'), clock/hour)
	out = appendTwo(append(out, ':'), clock%hour/minute)
	out = appendTwo(append(out, ':'), clock%minute)

	return append(appendNanos(out, nanos), 'Z', '"'), nil
}

func appendTwo(out []byte, number int) []byte {
	return append(out, byte('0'+number/decimal), byte('0'+number%decimal))
}

// appendDuration appends seconds, with an s behind them.
func appendDuration(out []byte, seconds int64, nanos int32) ([]byte, error) {
	const longest = 315576000000

	if seconds < -longest || seconds > longest || nanos < -maxNanos || nanos > maxNanos ||
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
