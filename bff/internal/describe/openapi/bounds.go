package openapi

import (
	"cmp"
	"math"
	"strconv"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Names of bounds in rules.
const (
	boundAbove = "gt"
	boundFrom  = "gte"
	boundBelow = "lt"
	boundTo    = "lte"
)

// applyNumber reads the bounds by name, since there is a message of rules for each kind of number and they have the same fields.
// The bounds of a number that is a string in JSON can only be said in words.
func applyNumber(schema *Schema, rules *validate.FieldRules, text bool) {
	which := rules.ProtoReflect().WhichOneof(rules.ProtoReflect().Descriptor().Oneofs().ByName("type"))
	if which == nil || which.Message() == nil {
		return
	}

	set := rules.ProtoReflect().Get(which).Message()

	if fields := set.Descriptor().Fields(); fields.ByName("finite") != nil && set.Get(fields.ByName("finite")).Bool() {
		*schema = *finite(schema)
	}

	limited := schema

	switch {
	case text:
		limited = &Schema{}
	case len(schema.OneOf) > 0:
		limited = schema.OneOf[0] // The one that is a number.
	}

	applyBounds(schema, limited, set, text)

	if !text {
		limited.members(set)
		limited.outside()
	} else if low, high := limited.bounds(); low != nil && *low >= 0 && (high == nil || *high >= *low) {
		schema.Pattern = unsignedPattern
	}
}

// applyBounds limits one schema, and says in the words of the other what has no keyword.
func applyBounds(schema, limited *Schema, set protoreflect.Message, text bool) {
	for _, b := range []struct{ name, words string }{
		{"const", "Always"}, {boundAbove, "Greater than"}, {boundFrom, "At least"}, {boundBelow, "Less than"}, {boundTo, "At most"},
	} {
		field := set.Descriptor().Fields().ByName(protoreflect.Name(b.name))
		if field == nil || !set.Has(field) {
			continue
		}

		value, numeric := toNumber(set.Get(field))
		if numeric {
			limited.bound(b.name, value)
		}

		if !numeric || text {
			schema.Description = sentences(schema.Description, b.words+" "+inWords(set.Get(field), field)+".")
		}
	}
}

// members are the numbers that a field can have, or not have, if the rules list them.
func (s *Schema) members(set protoreflect.Message) {
	listed := func(name protoreflect.Name) []any {
		field := set.Descriptor().Fields().ByName(name)
		if field == nil || !field.IsList() {
			return nil
		}

		var out []any

		for i := range set.Get(field).List().Len() {
			if value, numeric := toNumber(set.Get(field).List().Get(i)); numeric {
				out = append(out, value)
			}
		}

		return out
	}

	if in := listed("in"); in != nil {
		s.Enum = in
	}

	if not := listed("not_in"); not != nil {
		s.Not = &Schema{Enum: not}
	}
}

// outside turns bounds that exclude each other into what protovalidate means by them: below the one or above the other.
func (s *Schema) outside() {
	low, high := s.bounds()
	if low == nil || high == nil || *low < *high || *low == *high && s.Minimum != nil && s.Maximum != nil {
		return
	}

	s.AnyOf = []*Schema{
		{Maximum: s.Maximum, ExclusiveMaximum: s.ExclusiveMaximum},
		{Minimum: s.Minimum, ExclusiveMinimum: s.ExclusiveMinimum},
	}
	s.Minimum, s.ExclusiveMinimum, s.Maximum, s.ExclusiveMaximum = nil, nil, nil, nil
}

// bounds are the lower and the upper one, inclusive or not. Nil: there is none.
func (s *Schema) bounds() (low, high *float64) {
	return cmp.Or(s.Minimum, s.ExclusiveMinimum), cmp.Or(s.Maximum, s.ExclusiveMaximum)
}

// finite is a float without the values that are none.
func finite(schema *Schema) *Schema {
	if len(schema.OneOf) == 0 {
		return schema
	}

	only := *schema.OneOf[0]
	only.Description = schema.Description

	return &only
}

func (s *Schema) bound(name string, value float64) {
	switch name {
	case "const":
		s.Const = value
	case boundAbove:
		s.ExclusiveMinimum = &value
	case boundFrom:
		s.Minimum = &value
	case boundBelow:
		s.ExclusiveMaximum = &value
	case boundTo:
		s.Maximum = &value
	}
}

// toNumber returns a value as a number of JSON. It reports whether it is one.
func toNumber(value protoreflect.Value) (float64, bool) {
	switch v := value.Interface().(type) {
	case int32, int64:
		return float64(value.Int()), true
	case uint32, uint64:
		return float64(value.Uint()), true
	case float32:
		// As JSON has it: 0.1 of 32 bits is another number than 0.1 of 64 bits.
		short, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)

		return short, err == nil && !math.IsInf(short, 0) && !math.IsNaN(short)
	case float64:
		return v, !math.IsInf(v, 0) && !math.IsNaN(v)
	default:
		return 0, false
	}
}

// inWords writes a bound for people.
func inWords(value protoreflect.Value, field protoreflect.FieldDescriptor) string {
	if field.Message() == nil {
		return value.String()
	}

	if d, ok := clone[*durationpb.Duration](value); ok {
		return d.AsDuration().String()
	}

	return value.String()
}
