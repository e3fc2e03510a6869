package openapi

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

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
			schema.PropertyNames = cmp.Or(schema.PropertyNames, &Schema{})
			b.apply(schema.PropertyNames, keys, field.MapKey())
		}

		if values, ok := schema.AdditionalProperties.(*Schema); ok {
			b.apply(values, kind.Map.GetValues(), field.MapValue())
		}
	default:
		applyScalar(schema, rules, field)
	}
}

// applyScalar adds the rules of a single value.
func applyScalar(schema *Schema, rules *validate.FieldRules, field protoreflect.FieldDescriptor) {
	switch kind := rules.GetType().(type) {
	case *validate.FieldRules_String_:
		applyString(schema, rules.GetString())
	case *validate.FieldRules_Bytes:
		least, most := kind.Bytes.MinLen, kind.Bytes.MaxLen
		if kind.Bytes.Len != nil {
			least, most = kind.Bytes.Len, kind.Bytes.Len
		}

		schema.Description = sentences(schema.Description, byteWords(least, most, "."))
	case *validate.FieldRules_Bool:
		if kind.Bool.Const != nil {
			schema.Const = kind.Bool.GetConst()
		}
	case *validate.FieldRules_Enum:
		applyEnum(schema, kind.Enum, field.Enum())
	case *validate.FieldRules_Timestamp:
		schema.Description = sentences(schema.Description, timestampWords(kind.Timestamp))
	default:
		applyNumber(schema, rules, isText(field.Kind()))
	}
}

// orZero also allows the zero value, for which the rules do not hold. Before are the keywords without rules.
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

// applyRequired leaves out the value that a required field without presence has if it is not set.
func applyRequired(schema *Schema, rules *validate.FieldRules, field protoreflect.FieldDescriptor) {
	if !rules.GetRequired() || rules.GetIgnore() == validate.Ignore_IGNORE_ALWAYS || field.HasPresence() {
		return
	}

	var zero *Schema

	switch {
	case field.IsMap():
		schema.MinProperties = orOne(schema.MinProperties)
	case field.IsList():
		schema.MinItems = orOne(schema.MinItems)
	case field.Kind() == protoreflect.StringKind, field.Kind() == protoreflect.BytesKind:
		schema.MinLength = orOne(schema.MinLength)
	case field.Enum() != nil:
		zero = &Schema{Const: string(field.Enum().Values().Get(0).Name())}
	case field.Kind() == protoreflect.BoolKind:
		zero = &Schema{Const: false}
	case isText(field.Kind()):
		zero = &Schema{Enum: []any{"0", "-0"}}
	default:
		zero = &Schema{Const: 0}
	}

	switch {
	case zero == nil:
	case schema.Not == nil:
		schema.Not = zero
	default:
		schema.AllOf = append(schema.AllOf, &Schema{Not: zero})
	}
}

// orOne is a least number of things that is not zero.
func orOne(least *uint64) *uint64 {
	if least == nil || *least == 0 {
		return new(uint64(1))
	}

	return least
}

// isText reports whether numbers of the kind are strings in JSON.
func isText(kind protoreflect.Kind) bool {
	switch kind {
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind,
		protoreflect.Uint64Kind, protoreflect.Fixed64Kind, protoreflect.MessageKind:
		return true
	default:
		return false
	}
}

func applyString(schema *Schema, rules *validate.StringRules) {
	schema.MinLength, schema.MaxLength = rules.MinLen, rules.MaxLen
	if rules.Len != nil {
		schema.MinLength, schema.MaxLength = rules.Len, rules.Len
	}

	applyBytes(schema, rules)

	pattern, ok := ecmaPattern(rules.GetPattern())
	if !ok {
		schema.Description = sentences(schema.Description, "Matches the RE2 pattern `"+rules.GetPattern()+"`.")
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

// applyBytes describes rules about the length in UTF-8: in words, and as far as numbers of characters can. A character has at most
// four bytes.
func applyBytes(schema *Schema, rules *validate.StringRules) {
	least, most := rules.MinBytes, rules.MaxBytes
	if rules.LenBytes != nil {
		least, most = rules.LenBytes, rules.LenBytes
	}

	if least != nil && schema.MinLength == nil {
		schema.MinLength = new((*least + utf8.UTFMax - 1) / utf8.UTFMax)
	}

	if most != nil && schema.MaxLength == nil {
		schema.MaxLength = most
	}

	schema.Description = sentences(schema.Description, byteWords(least, most, " in UTF-8."))
}

// byteWords says in words how many bytes there are.
func byteWords(least, most *uint64, end string) string {
	switch {
	case least != nil && most != nil && *least == *most:
		return inBytes(int64(*least)) + end
	case least != nil && most != nil:
		return inBytes(int64(*least)) + " to " + inBytes(int64(*most)) + end
	case least != nil:
		return "At least " + inBytes(int64(*least)) + end
	case most != nil:
		return "At most " + inBytes(int64(*most)) + end
	default:
		return ""
	}
}

func affix(before, text, after string) string {
	if text == "" {
		return ""
	}

	return before + regexp.QuoteMeta(text) + after
}

// Formats of addresses.
const (
	formatHostname  = "hostname"
	formatIPv4      = "ipv4"
	formatIPv6      = "ipv6"
	formatReference = "uri-reference"
)

func applyFormat(schema *Schema, rules *validate.StringRules) {
	rule := rules.ProtoReflect().WhichOneof(rules.ProtoReflect().Descriptor().Oneofs().ByName("well_known"))
	if rule == nil {
		return
	}

	switch name := string(rule.Name()); name {
	case "email", formatHostname, formatIPv4, formatIPv6, "uri", "uuid":
		schema.Format = name
	case "uri_ref":
		schema.Format = formatReference
	case "ip":
		schema.AnyOf = []*Schema{{Type: typeString, Format: formatIPv4}, {Type: typeString, Format: formatIPv6}}
	case "address":
		schema.AnyOf = []*Schema{
			{Type: typeString, Format: formatHostname},
			{Type: typeString, Format: formatIPv4},
			{Type: typeString, Format: formatIPv6},
		}
	}
}

// applyEnum lists the values that are left of an enum, if not all are.
func applyEnum(schema *Schema, rules *validate.EnumRules, enum protoreflect.EnumDescriptor) {
	var left []any

	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)

		if n := int32(value.Number()); (rules.Const == nil || rules.GetConst() == n) &&
			(len(rules.GetIn()) == 0 || slices.Contains(rules.GetIn(), n)) && !slices.Contains(rules.GetNotIn(), n) {
			left = append(left, string(value.Name()))
		}
	}

	if len(left) < enum.Values().Len() {
		schema.Enum = left
	}
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

// inBytes writes a number of bytes.
func inBytes(n int64) string {
	if n == 1 {
		return "1 byte"
	}

	return strconv.FormatInt(n, 10) + " bytes"
}
