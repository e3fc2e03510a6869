package openapi

import (
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

// bound is a limit of a number.
type bound struct{ name, words string }

// applyNumber reads the bounds by name, since there is a message of rules for each kind of number and they have the same fields.
func applyNumber(schema *Schema, rules *validate.FieldRules, text bool) {
	which := rules.ProtoReflect().WhichOneof(rules.ProtoReflect().Descriptor().Oneofs().ByName("type"))
	if which == nil || which.Message() == nil {
		return
	}

	set := rules.ProtoReflect().Get(which).Message()

	if fields := set.Descriptor().Fields(); fields.ByName("finite") != nil && set.Get(fields.ByName("finite")).Bool() {
		*schema = *finite(schema)
	}

	target := schema
	if len(schema.OneOf) > 0 {
		target = schema.OneOf[0] // The one that is a number.
	}

	for _, b := range []bound{
		{"const", "Always"}, {boundAbove, "Greater than"}, {boundFrom, "At least"}, {boundBelow, "Less than"}, {boundTo, "At most"},
	} {
		field := set.Descriptor().Fields().ByName(protoreflect.Name(b.name))
		if field == nil || !set.Has(field) {
			continue
		}

		value, numeric := toNumber(set.Get(field), field)
		if !numeric || text {
			schema.Description = sentences(schema.Description, b.words+" "+inWords(set.Get(field), field)+".")
		} else {
			target.bound(b.name, value)
		}
	}

	if text && neverNegative(set) {
		schema.Pattern = unsignedPattern
	}

	target.members(set, text)
	target.outside()
}

// neverNegative reports whether the bounds leave out all numbers below zero.
func neverNegative(set protoreflect.Message) bool {
	limits := &Schema{}

	for _, name := range []string{boundAbove, boundFrom, boundBelow, boundTo} {
		field := set.Descriptor().Fields().ByName(protoreflect.Name(name))
		if field == nil || !set.Has(field) {
			continue
		}

		value, numeric := toNumber(set.Get(field), field)
		if !numeric {
			return false
		}

		limits.bound(name, value)
	}

	low, high := either(limits.Minimum, limits.ExclusiveMinimum), either(limits.Maximum, limits.ExclusiveMaximum)

	return low != nil && *low >= 0 && (high == nil || *high >= *low)
}

// members are the numbers that a field can have, or not have, if the rules list them.
func (s *Schema) members(set protoreflect.Message, text bool) {
	listed := func(name protoreflect.Name) []any {
		field := set.Descriptor().Fields().ByName(name)
		if field == nil || !field.IsList() || text {
			return nil
		}

		var out []any

		for i := range set.Get(field).List().Len() {
			if value, numeric := toNumber(set.Get(field).List().Get(i), field); numeric {
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
	low, high := either(s.Minimum, s.ExclusiveMinimum), either(s.Maximum, s.ExclusiveMaximum)
	if low == nil || high == nil || *low < *high || *low == *high && s.Minimum != nil && s.Maximum != nil {
		return
	}

	s.AnyOf = []*Schema{
		{Maximum: s.Maximum, ExclusiveMaximum: s.ExclusiveMaximum},
		{Minimum: s.Minimum, ExclusiveMinimum: s.ExclusiveMinimum},
	}
	s.Minimum, s.ExclusiveMinimum, s.Maximum, s.ExclusiveMaximum = nil, nil, nil, nil
}

// either is the one of two bounds that is there.
func either(a, b *float64) *float64 {
	if a != nil {
		return a
	}

	return b
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

func toNumber(value protoreflect.Value, field protoreflect.FieldDescriptor) (float64, bool) {
	switch field.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return float64(value.Int()), true
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return float64(value.Uint()), true
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return decimal(value.Float(), field.Kind()), !math.IsInf(value.Float(), 0) && !math.IsNaN(value.Float())
	default:
		return 0, false
	}
}

// decimal is a number as JSON has it: of 32 bits, 0.1 is written so, which is another number of 64 bits.
func decimal(value float64, kind protoreflect.Kind) float64 {
	if kind != protoreflect.FloatKind {
		return value
	}

	short, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', -1, 32), 64)
	if err != nil {
		return value
	}

	return short
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
