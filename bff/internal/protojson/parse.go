package protojson

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// ParseText reads the value of a field, or of an element or entry of a list or map, from a text outside of JSON, such as a query
// parameter: the text that would be between the quotes, or the JSON itself for google.protobuf.Struct, Value and ListValue. A
// boolean may be in any form that strconv.ParseBool reads, a mask in the spelling of the proto. fresh makes an empty message. The
// error is an *Error.
func (c *Codec) ParseText(
	text string, desc protoreflect.FieldDescriptor, fresh func() protoreflect.Value, limits Limits,
) (protoreflect.Value, error) {
	if !utf8.ValidString(text) {
		return protoreflect.Value{}, faultf("is not valid UTF-8")
	}

	f := &c.tables.of(desc.ContainingMessage()).fields[desc.Index()]
	if f.isMap {
		f = f.value
	}

	if f.class == classString {
		return protoreflect.ValueOfString(text), nil
	}

	document, fault := documentOf(f, text)
	if fault != nil {
		return protoreflect.Value{}, fault
	}

	options := Options{Limits: limits}

	d := c.decoder(document, options)
	defer c.release(d, options)

	d.protoPaths = strings.Contains(text, "_")

	if f.message == nil {
		v, _, fault := d.read(f)
		return f.kind.value(v), asError(cmp.Or(fault, d.end()))
	}

	value := fresh()
	fault = d.document(f.message, value.Message())

	return value, asError(fault)
}

// ParseKey reads the key of a map.
func ParseKey(kind protoreflect.Kind, text string) (protoreflect.MapKey, error) {
	of := kindOf(kind)

	key, ok := of.parseKey([]byte(text))
	if !ok {
		return protoreflect.MapKey{}, wrongKey(kind, text)
	}

	return of.value(key).MapKey(), nil
}

// documentOf converts a text to JSON.
func documentOf(f *field, text string) ([]byte, *Error) {
	class := f.class

	if f.message != nil {
		switch f.message.form { //nolint:exhaustive // The others are strings.
		case FormStruct, FormValue, FormList:
			return []byte(text), nil
		case FormWrapper:
			class = f.message.fields[0].class
		case FormObject, FormAny:
			return nil, faultf("is a message; only its fields can be given")
		}
	}

	number := numberLength([]byte(text))

	switch {
	case class == classBool:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return nil, faultf("%q is not a boolean", Clip(text))
		}

		return strconv.AppendBool(nil, value), nil
	case class == classEnum && number > 0 && number == len(text):
		return []byte(text), nil
	}

	// It is valid UTF-8.
	quoted, _ := appendString(nil, []byte(text))

	return quoted, nil
}
