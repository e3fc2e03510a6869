package protojson

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// appendValue writes the Go value of a field: what generated code takes out of a message that has a response_body. A field without
// a value is null, an empty list [], an empty map {}.
func (c *Codec) appendValue(out []byte, v any) ([]byte, error) {
	// Before its methods are called: an enum with presence is a pointer, too.
	if value := reflect.ValueOf(v); value.Kind() == reflect.Pointer && value.IsNil() {
		return append(out, "null"...), nil
	}

	switch v := v.(type) {
	case nil:
		return append(out, "null"...), nil
	case proto.Message:
		if !v.ProtoReflect().IsValid() {
			return append(out, "null"...), nil
		}

		return c.writer.Append(out, v)
	case protoreflect.Enum:
		return appendEnum(out, v), nil
	case []byte:
		return append(base64.StdEncoding.AppendEncode(append(out, '"'), v), '"'), nil
	}

	switch value := reflect.ValueOf(v); value.Kind() { //nolint:exhaustive // The others are scalars.
	case reflect.Pointer, reflect.Interface:
		if value.IsNil() {
			return append(out, "null"...), nil
		}

		return c.appendValue(out, value.Elem().Interface())
	case reflect.Slice:
		return c.appendList(out, value)
	case reflect.Map:
		return c.appendMap(out, value)
	}

	scalar, err := wrapped(reflect.ValueOf(v))
	if err != nil {
		return nil, err
	}

	return c.writer.Append(out, scalar)
}

// wrapped is a message that is written as the scalar is.
func wrapped(value reflect.Value) (proto.Message, error) {
	switch value.Kind() {
	case reflect.String:
		return wrapperspb.String(value.String()), nil
	case reflect.Bool:
		return wrapperspb.Bool(value.Bool()), nil
	case reflect.Int32:
		return wrapperspb.Int32(int32(value.Int())), nil
	case reflect.Int64:
		return wrapperspb.Int64(value.Int()), nil
	case reflect.Uint32:
		return wrapperspb.UInt32(uint32(value.Uint())), nil
	case reflect.Uint64:
		return wrapperspb.UInt64(value.Uint()), nil
	case reflect.Float32:
		return wrapperspb.Float(float32(value.Float())), nil
	case reflect.Float64:
		return wrapperspb.Double(value.Float()), nil
	default:
		return nil, fmt.Errorf("%s is not the value of a field", value.Type())
	}
}

func appendEnum(out []byte, v protoreflect.Enum) []byte {
	desc := v.Descriptor().Values().ByNumber(v.Number())

	switch {
	case v.Descriptor().FullName() == "google.protobuf.NullValue":
		return append(out, "null"...)
	case desc == nil:
		return strconv.AppendInt(out, int64(v.Number()), 10)
	default:
		return append(append(append(out, '"'), desc.Name()...), '"')
	}
}

func (c *Codec) appendList(out []byte, list reflect.Value) ([]byte, error) {
	out = append(out, '[')

	for i := range list.Len() {
		if i > 0 {
			out = append(out, ',')
		}

		var err error
		if out, err = c.appendValue(out, list.Index(i).Interface()); err != nil {
			return nil, err
		}
	}

	return append(out, ']'), nil
}

func (c *Codec) appendMap(out []byte, entries reflect.Value) ([]byte, error) {
	type entry struct {
		key   string
		value reflect.Value
	}

	var all []entry
	for k, v := range entries.Seq2() {
		all = append(all, entry{key: fmt.Sprint(k.Interface()), value: v})
	}

	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.key, b.key) })

	out = append(out, '{')

	for i, e := range all {
		if i > 0 {
			out = append(out, ',')
		}

		var err error
		if out, err = c.appendValue(out, e.key); err != nil {
			return nil, err
		}

		if out, err = c.appendValue(append(out, ':'), e.value.Interface()); err != nil {
			return nil, err
		}
	}

	return append(out, '}'), nil
}
