package protojson

import (
	"errors"
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Form is the kind of JSON that the messages of a type have.
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

// FormOf returns the form of a type.
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

// message reads a message in the form of its type.
func (d *decoder) message(m *message, t target) *Error {
	switch m.form {
	case FormAny:
		return d.any(m)
	case FormTimestamp, FormDuration:
		return d.time(m, t)
	case FormStruct:
		// An entry per member.
		return d.entries(&m.fields[0], slot{})
	case FormList:
		return d.elements(&m.fields[0], t.slot(&m.fields[0]))
	case FormValue:
		return d.value(m)
	case FormFieldMask:
		return d.fieldMask(m)
	case FormWrapper:
		_, err := d.scalar(&m.fields[0], t.slot(&m.fields[0]))
		return err
	default:
		return d.members(m, false, t)
	}
}

// Indexes of the fields of google.protobuf.Value.
const (
	valueNull = iota
	valueNumber
	valueString
	valueBool
	valueStruct
	valueList
)

func (d *decoder) value(m *message) *Error {
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

	_, err := d.element(&m.fields[place], slot{})

	return err
}

// wellKnown writes a message that has a JSON form of its own.
func (e *encoder) wellKnown(out []byte, m *message, wire []byte) ([]byte, error) {
	if m.form == FormTimestamp || m.form == FormDuration {
		return appendTime(out, m.form, wire)
	}

	mark := len(e.records)

	in, err := e.arrange(m, wire, nil)
	if err != nil {
		return out, err
	}

	switch m.form { //nolint:exhaustive // The others are above, or objects.
	case FormAny:
		out, err = e.any(out, m, &in)
	case FormFieldMask:
		out, err = e.fieldMask(out, m, &in)
	case FormStruct, FormList, FormWrapper, FormValue:
		out, err = e.single(out, m, &in)
	}

	e.records = e.records[:mark]

	return out, err
}

// single writes a message whose one field is its JSON.
func (e *encoder) single(out []byte, m *message, in *source) ([]byte, error) {
	f, tag := in.next(m)

	switch {
	case f == nil && m.form == FormValue:
		return out, errors.New("a google.protobuf.Value has no value")
	case f == nil:
		return append(out, m.fields[0].zero()...), nil
	case m.form == FormValue && f.class == classFloat:
		if v, _, err := f.read(tag, in.wire); err == nil && !finite(v.float(f.bits)) {
			return out, errors.New("a google.protobuf.Value is not a finite number")
		}
	}

	start := len(out)

	out, set, err := e.field(out, f, tag, in, nil)
	if err == nil && !set {
		out = append(out[:start], f.zero()...)
	}

	return out, err
}

func finite(number float64) bool { return !math.IsNaN(number) && !math.IsInf(number, 0) }
