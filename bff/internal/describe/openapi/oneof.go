package openapi

import (
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// oneof is a set of fields; at most one of them is set: a oneof of protobuf or a rule (buf.validate.message).oneof.
type oneof struct {
	fields []protoreflect.FieldDescriptor
	// required reports whether one of them has to be set.
	required bool
}

// has reports whether the field is a member.
func (o oneof) has(field protoreflect.FieldDescriptor) bool { return slices.Contains(o.fields, field) }

// given reports whether a member, or a part of one, is among fields that are elsewhere in the request.
func (o oneof) given(without []string) bool {
	return slices.ContainsFunc(o.fields, func(field protoreflect.FieldDescriptor) bool {
		return slices.Contains(without, field.TextName()) || below(without, field) != nil
	})
}

// oneofs are those of a message.
func oneofs(message protoreflect.MessageDescriptor) []oneof {
	var all []oneof

	for one := range schema.All(message.Oneofs()) {
		if !one.IsSynthetic() {
			all = append(all, oneof{fieldsOf(one), oneofRules(one).GetRequired()})
		}
	}

	for _, rule := range messageRules(message).GetOneof() {
		one := oneof{required: rule.GetRequired()}

		for _, name := range rule.GetFields() {
			if field := message.Fields().ByName(protoreflect.Name(name)); field != nil {
				one.fields = append(one.fields, field)
			}
		}

		all = append(all, one)
	}

	return all
}

func fieldsOf(one protoreflect.OneofDescriptor) []protoreflect.FieldDescriptor {
	return slices.Collect(schema.All(one.Fields()))
}

// oneofWords says in words which fields exclude one another with a field.
func (b *builder) oneofWords(field protoreflect.FieldDescriptor, as form) string {
	var words string

	for _, one := range oneofs(field.ContainingMessage()) {
		isRule := field.ContainingOneof() == nil || !slices.Equal(fieldsOf(field.ContainingOneof()), one.fields)
		if !one.has(field) || as == output && isRule {
			continue
		}

		names := make([]string, 0, len(one.fields))
		for _, member := range one.fields {
			names = append(names, "`"+b.name(member)+"`")
		}

		how := "At most one of "
		if as == input && one.required {
			how = "Exactly one of "
		}

		words = sentences(words, how+strings.Join(names, ", ")+" is there.")
	}

	return words
}

// restrictOneofs describes the oneofs of a message: of those that need a member exactly one is there, unless the path or a header
// sets one, and of the others at most one.
func (b *builder) restrictOneofs(schema *Schema, message protoreflect.MessageDescriptor, as form, without []string) {
	var exactly, pairs []*Schema

	for _, one := range oneofs(message) {
		members := slices.DeleteFunc(slices.Clone(one.fields), func(field protoreflect.FieldDescriptor) bool {
			_, shown := schema.Properties.Get(b.name(field))

			return !shown
		})

		if len(members) == 1 && slices.Contains(schema.Required, b.name(members[0])) {
			continue
		}

		if as == input && one.required && !one.given(without) && len(members) > 0 {
			exactly = append(exactly, b.exactlyOne(schema, members))
		} else {
			pairs = append(pairs, b.pairs(members, as)...)
		}
	}

	if len(exactly) == 1 && exactly[0].OneOf != nil {
		schema.OneOf = exactly[0].OneOf
	} else {
		schema.AllOf = append(schema.AllOf, exactly...)
	}

	if len(pairs) == 1 {
		schema.Not = pairs[0]
	} else if len(pairs) > 1 {
		schema.Not = &Schema{AnyOf: pairs}
	}
}

// exactlyOne matches objects in which one of some fields is set. Linters want the properties that a schema requires in that
// schema, and generators of types also what is in them.
func (b *builder) exactlyOne(object *Schema, members []protoreflect.FieldDescriptor) *Schema {
	branches := make([]*Schema, 0, len(members))

	for _, field := range members {
		property := zeroless(field, input)

		if field.HasPresence() {
			known, _ := object.Properties.Get(b.name(field))
			undescribed := *known
			undescribed.Description, undescribed.Deprecated = "", false
			property = &undescribed
		}

		branches = append(branches, b.members(map[protoreflect.FieldDescriptor]*Schema{field: property}, field))
	}

	if len(branches) == 1 {
		return branches[0]
	}

	return &Schema{OneOf: branches}
}

// refusesEmpty reports whether a schema of an object refuses one without members.
func refusesEmpty(schema *Schema) bool {
	return len(schema.Required) > 0 || schema.OneOf != nil || slices.ContainsFunc(schema.AllOf, refusesEmpty)
}

// pairs match objects in which two of some fields are set.
func (b *builder) pairs(members []protoreflect.FieldDescriptor, as form) []*Schema {
	var pairs []*Schema

	for i, field := range members {
		for _, other := range members[:i] {
			pairs = append(pairs, b.members(map[protoreflect.FieldDescriptor]*Schema{
				other: zeroless(other, as), field: zeroless(field, as),
			}, other, field))
		}
	}

	return pairs
}

// members matches objects that have the fields.
func (b *builder) members(values map[protoreflect.FieldDescriptor]*Schema, fields ...protoreflect.FieldDescriptor) *Schema {
	schema := &Schema{Properties: &Map[*Schema]{}}

	for _, field := range fields {
		schema.Required = append(schema.Required, b.name(field))
		schema.Properties.Set(b.name(field), values[field])
	}

	return schema
}

// zeroless matches the values with which a field counts as set: with presence any but the null that resets it, and otherwise
// any but the zero value.
func zeroless(field protoreflect.FieldDescriptor, as form) *Schema {
	switch {
	case field.HasPresence() && as == patch && !holdsNull(field):
		return &Schema{Not: &Schema{Type: typeNull}}
	case field.HasPresence():
		return &Schema{}
	case field.IsMap():
		return &Schema{Type: typeObject, MinProperties: new(uint64(1))}
	case field.IsList():
		return &Schema{Type: typeArray, Items: &Schema{}, MinItems: new(uint64(1))}
	case field.Kind() == protoreflect.StringKind || field.Kind() == protoreflect.BytesKind:
		return &Schema{Type: typeString, MinLength: new(uint64(1))}
	case field.Kind() == protoreflect.BoolKind:
		return &Schema{Type: typeBoolean, Const: true}
	case field.Enum() != nil:
		return &Schema{Not: &Schema{Enum: []any{string(field.Enum().Values().Get(0).Name()), nil}}}
	case isText(field.Kind()):
		return &Schema{Type: typeString, Not: &Schema{Enum: []any{"0", "-0"}}}
	default:
		return &Schema{Not: &Schema{Enum: []any{0, nil}}}
	}
}

// holdsNull reports whether null is a value of the field, which is then set by it.
func holdsNull(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().FullName() == protoValue ||
		field.Enum() != nil && field.Enum().FullName() == protoNull
}

// relaxed are the rules of a field as they are enforced: not for the zero value of a field without presence that a rule
// (buf.validate.message).oneof names. Of a field with presence they hold for the zero value as well, whatever they say of it.
func relaxed(rules *validate.FieldRules, field protoreflect.FieldDescriptor) *validate.FieldRules {
	ignored := rules.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE

	switch {
	case rules == nil || rules.HasIgnore() && !ignored:
		return rules
	case field.HasPresence() && ignored:
		rules = proto.CloneOf(rules)
		rules.ClearIgnore()

		return rules
	case field.HasPresence() || ignored:
		return rules
	}

	for _, rule := range messageRules(field.ContainingMessage()).GetOneof() {
		if slices.Contains(rule.GetFields(), string(field.Name())) {
			rules = proto.CloneOf(rules)
			rules.SetIgnore(validate.Ignore_IGNORE_IF_ZERO_VALUE)

			return rules
		}
	}

	return rules
}

// excluded are the fields that a request cannot set, because a path variable sets another member of a oneof that they are in. A
// header may be left out, so that it excludes nothing.
func excluded(op policy.Endpoint) []string {
	var all []string

	for _, variable := range op.Template.Variables() {
		message, above := op.Descriptor.Input(), ""

		for name := range strings.SplitSeq(variable, ".") {
			field := message.Fields().ByTextName(name)
			if field == nil {
				break
			}

			all = append(all, others(field, above)...)

			if message = field.Message(); message == nil {
				break
			}

			above += name + "."
		}
	}

	return all
}

// others are the other members of the oneofs of a field that a path variable sets. Numbers, booleans and enums without presence are
// not set if they are zero.
func others(field protoreflect.FieldDescriptor, above string) []string {
	isText := field.Kind() == protoreflect.StringKind || field.Kind() == protoreflect.BytesKind
	if !field.HasPresence() && !isText && !field.IsList() {
		return nil
	}

	var names []string

	for _, one := range oneofs(field.ContainingMessage()) {
		if !one.has(field) {
			continue
		}

		for _, other := range one.fields {
			if other != field {
				names = append(names, above+other.TextName())
			}
		}
	}

	return names
}
