package openapi

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// required are the fields without which a message breaks its rules: those that an empty message is told of.
func (b *builder) required(message protoreflect.MessageDescriptor) ([]protoreflect.FieldDescriptor, error) {
	err := b.validator.Validate(dynamicpb.NewMessage(message))
	if err == nil {
		return nil, nil
	}

	broken := (*protovalidate.ValidationError)(nil)
	if !errors.As(err, &broken) {
		return nil, fmt.Errorf("rules of %s: %w", message.FullName(), err)
	}

	var fields []protoreflect.FieldDescriptor

	for _, violation := range broken.Violations {
		path := violation.Proto.GetField().GetElements()
		if len(path) != 1 {
			continue
		}

		field := message.Fields().ByNumber(protoreflect.FieldNumber(path[0].GetFieldNumber()))
		if field != nil && !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}

	return fields, nil
}

// apply adds the rules of a field to its schema: as keywords where JSON Schema has them, else in words.
func (b *builder) apply(schema *Schema, rules *validate.FieldRules, field protoreflect.FieldDescriptor) {
	if rules == nil || rules.GetIgnore() == validate.Ignore_IGNORE_ALWAYS {
		return
	}

	for _, rule := range rules.GetCel() {
		schema.Description = sentences(schema.Description, rule.GetMessage())
	}

	if rules.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE {
		defer orZero(schema, *schema, field)
	}

	switch kind := rules.GetType().(type) {
	case *validate.FieldRules_Repeated:
		schema.MinItems, schema.MaxItems = kind.Repeated.MinItems, kind.Repeated.MaxItems
		schema.UniqueItems = kind.Repeated.GetUnique()
		b.apply(schema.Items, kind.Repeated.GetItems(), field)
	case *validate.FieldRules_Map:
		schema.MinProperties, schema.MaxProperties = kind.Map.MinPairs, kind.Map.MaxPairs

		if keys := kind.Map.GetKeys(); keys != nil {
			schema.PropertyNames = or(schema.PropertyNames, &Schema{})
			b.apply(schema.PropertyNames, keys, field.MapKey())
		}

		if values, ok := schema.AdditionalProperties.(*Schema); ok {
			b.apply(values, kind.Map.GetValues(), field.MapValue())
		}
	case *validate.FieldRules_String_:
		applyString(schema, rules.GetString())
	case *validate.FieldRules_Enum:
		applyEnum(schema, kind.Enum, field.Enum())
	case *validate.FieldRules_Timestamp:
		schema.Description = sentences(schema.Description, timestampWords(kind.Timestamp))
	default:
		applyNumber(schema, rules, isText(field.Kind()))
	}
}

// orZero lets the zero value through, of which the rules do not hold. Before are the keywords without rules.
func orZero(schema *Schema, before Schema, field protoreflect.FieldDescriptor) {
	before.Description = schema.Description
	if reflect.DeepEqual(*schema, before) {
		return // No keyword says what the rules do.
	}

	zero := &Schema{}

	switch {
	case field.IsList():
		zero.MaxItems = new(uint64(0))
	case field.IsMap():
		zero.MaxProperties = new(uint64(0))
	case field.Enum() != nil:
		zero.Const = string(field.Enum().Values().Get(0).Name())
	case field.Kind() == protoreflect.StringKind:
		zero.Const = ""
	case field.Message() == nil && !isText(field.Kind()):
		zero.Const = 0
	default:
		return
	}

	ruled := *schema
	ruled.Description = ""
	*schema = Schema{Description: schema.Description, AnyOf: []*Schema{zero, &ruled}}
}

// isText tells whether numbers of the kind are strings in JSON.
func isText(kind protoreflect.Kind) bool {
	switch kind {
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind,
		protoreflect.Uint64Kind, protoreflect.Fixed64Kind, protoreflect.MessageKind:
		return true
	default:
		return false
	}
}

// onlyRE2 finds what the regular expressions of JSON Schema (ECMA-262) do not have or understand otherwise.
var onlyRE2 = regexp.MustCompile(`\(\?[^:]|\[\[:|\\[AzQECapP]|\\x\{`)

func applyString(schema *Schema, rules *validate.StringRules) {
	schema.MinLength, schema.MaxLength = rules.MinLen, rules.MaxLen
	if rules.Len != nil {
		schema.MinLength, schema.MaxLength = rules.Len, rules.Len
	}

	pattern := rules.GetPattern()
	if onlyRE2.MatchString(pattern) {
		schema.Description = sentences(schema.Description, "Matches the RE2 pattern `"+pattern+"`.")
		pattern = ""
	}

	patterns := []string{
		pattern, affix("^", rules.GetPrefix(), ""), affix("", rules.GetSuffix(), "$"),
		affix("", rules.GetContains(), ""),
	}

	for _, pattern := range slices.DeleteFunc(patterns, func(p string) bool { return p == "" }) {
		if schema.Pattern == "" {
			schema.Pattern = pattern
		} else {
			schema.AllOf = append(schema.AllOf, &Schema{Pattern: pattern})
		}
	}

	if rules.Const != nil {
		schema.Const = rules.GetConst()
	}

	schema.Enum = anys(rules.GetIn())
	if not := anys(rules.GetNotIn()); not != nil {
		schema.Not = &Schema{Enum: not}
	}

	applyFormat(schema, rules)
}

func affix(before, text, after string) string {
	if text == "" {
		return ""
	}

	return before + regexp.QuoteMeta(text) + after
}

// Formats of addresses.
const (
	formatIPv4 = "ipv4"
	formatIPv6 = "ipv6"
)

func applyFormat(schema *Schema, rules *validate.StringRules) {
	switch rules.GetWellKnown().(type) {
	case *validate.StringRules_Email:
		schema.Format = "email"
	case *validate.StringRules_Hostname:
		schema.Format = "hostname"
	case *validate.StringRules_Ipv4:
		schema.Format = formatIPv4
	case *validate.StringRules_Ipv6:
		schema.Format = formatIPv6
	case *validate.StringRules_Uri:
		schema.Format = "uri"
	case *validate.StringRules_UriRef:
		schema.Format = "uri-reference"
	case *validate.StringRules_Uuid:
		schema.Format = "uuid"
	case *validate.StringRules_Ip:
		schema.AnyOf = []*Schema{{Format: formatIPv4}, {Format: formatIPv6}}
	case *validate.StringRules_Address:
		schema.AnyOf = []*Schema{{Format: "hostname"}, {Format: formatIPv4}, {Format: formatIPv6}}
	}
}

// applyEnum lists the values that are left of an enum, if not all are.
func applyEnum(schema *Schema, rules *validate.EnumRules, enum protoreflect.EnumDescriptor) {
	var left []any

	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		n := int32(value.Number())

		switch {
		case rules.Const != nil && rules.GetConst() != n,
			len(rules.GetIn()) > 0 && !slices.Contains(rules.GetIn(), n), slices.Contains(rules.GetNotIn(), n):
		default:
			left = append(left, string(value.Name()))
		}
	}

	if len(left) < enum.Values().Len() {
		schema.Enum = left
	}
}

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
		{"const", "Always"}, {"gt", "Greater than"}, {"gte", "At least"}, {"lt", "Less than"}, {"lte", "At most"},
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

	target.members(set, text)
	target.outside()
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
	case "gt":
		s.ExclusiveMinimum = &value
	case "gte":
		s.Minimum = &value
	case "lt":
		s.ExclusiveMaximum = &value
	case "lte":
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
		return value.Float(), !math.IsInf(value.Float(), 0) && !math.IsNaN(value.Float())
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

func timestampWords(rules *validate.TimestampRules) string {
	switch {
	case rules.GetLtNow():
		return "In the past."
	case rules.GetGtNow():
		return "In the future."
	case rules.GetWithin() != nil:
		return "Within " + rules.GetWithin().AsDuration().String() + " of now."
	}

	var out string

	for _, b := range []struct {
		words string
		at    *timestamppb.Timestamp
	}{{"After", rules.GetGt()}, {"From", rules.GetGte()}, {"Before", rules.GetLt()}, {"Until", rules.GetLte()}} {
		if b.at != nil {
			out = sentences(out, b.words+" "+b.at.AsTime().Format("2006-01-02T15:04:05Z07:00")+".")
		}
	}

	return out
}

// clone is the message of a value, as the linked type.
func clone[T proto.Message](value protoreflect.Value) (T, bool) {
	message, ok := value.Message().Interface().(T)

	return message, ok
}

// anys makes a list of what may be in an enum.
func anys(texts []string) []any {
	if len(texts) == 0 {
		return nil
	}

	out := make([]any, 0, len(texts))
	for _, text := range texts {
		out = append(out, text)
	}

	return out
}

// quantity writes a count with its noun.
func quantity(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}

	return strconv.FormatInt(n, 10) + " " + noun + "s"
}
