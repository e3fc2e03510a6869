package protojson

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Masked is a message, or the Go value of a field, of which only some fields are to be written.
type Masked struct {
	Value any
	Mask  *Mask
}

// document writes a document that may be masked.
func (c *Codec) document(v any) ([]byte, error) {
	if masked, ok := v.(*Masked); ok {
		return c.appendValue(nil, masked.Value, masked.Mask.of())
	}

	return c.appendValue(nil, v, nil)
}

// appendValue writes the Go value of a field, as generated code has it for response_body. A field without a value is null.
func (c *Codec) appendValue(out []byte, v any, of *selection) ([]byte, error) {
	value := reflect.ValueOf(v)
	// An enum with presence is a pointer with methods.
	if v == nil || value.Kind() == reflect.Pointer && value.IsNil() {
		return append(out, "null"...), nil
	}

	switch v := v.(type) {
	case proto.Message:
		if !v.ProtoReflect().IsValid() {
			return append(out, "null"...), nil
		}

		return c.append(out, v, false, of)
	case protoreflect.Enum:
		return appendEnum(out, v), nil
	case []byte:
		return appendBase64(out, v), nil
	}

	switch value.Kind() {
	case reflect.Pointer:
		return c.appendValue(out, value.Elem().Interface(), of)
	case reflect.Slice:
		return c.appendList(out, value, of)
	case reflect.Map:
		return c.appendMap(out, value, of)
	case reflect.String:
		return appendString(out, []byte(value.String()))
	case reflect.Bool:
		return strconv.AppendBool(out, value.Bool()), nil
	default:
		return appendNumber(out, value)
	}
}

func appendNumber(out []byte, value reflect.Value) ([]byte, error) {
	f, v := field{}, scalar{}

	switch {
	case value.CanInt():
		f.class, v.bits = classSigned, uint64(value.Int())
	case value.CanUint():
		f.class, v.bits = classUnsigned, value.Uint()
	case value.CanFloat():
		return appendFloat(out, value.Float(), value.Type().Bits()), nil
	default:
		return nil, fmt.Errorf("%s is not the value of a field", value.Type())
	}

	f.bits = uint8(value.Type().Bits())

	return f.appendScalar(out, v)
}

func appendEnum(out []byte, v protoreflect.Enum) []byte {
	desc := v.Descriptor().Values().ByNumber(v.Number())

	switch {
	case v.Descriptor().FullName() == nullValue:
		return append(out, "null"...)
	case desc == nil:
		return strconv.AppendInt(out, int64(v.Number()), decimal)
	default:
		return append(append(append(out, '"'), desc.Name()...), '"')
	}
}

func (c *Codec) appendList(out []byte, list reflect.Value, of *selection) (_ []byte, err error) {
	out = append(out, '[')

	for i := range list.Len() {
		if i > 0 {
			out = append(out, ',')
		}

		if out, err = c.appendValue(out, list.Index(i).Interface(), of); err != nil {
			return nil, err
		}
	}

	return append(out, ']'), nil
}

func (c *Codec) appendMap(out []byte, entries reflect.Value, of *selection) (_ []byte, err error) {
	keys := entries.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })

	out = append(out, '{')

	for _, key := range keys {
		name, err := appendString(nil, []byte(fmt.Sprint(key)))
		inner, selected := of.entry(name)

		switch {
		case !selected:
			continue
		case err != nil:
			return nil, err
		case out[len(out)-1] != '{':
			out = append(out, ',')
		}

		out = append(append(out, name...), ':')
		if out, err = c.appendValue(out, entries.MapIndex(key).Interface(), inner); err != nil {
			return nil, err
		}
	}

	return append(out, '}'), nil
}
