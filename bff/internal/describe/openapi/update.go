package openapi

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// The gateway checks an update with a mask against the rules of the fields that the mask names (bff/internal/gateway/binding). No
// schema can say that, so in the form of a part nothing is required, and the body's description says what is. The bounds of values
// stay in the schema, for clients that make types or forms of it. A field that was sent and is not named is not checked: its value
// is ignored, so a client has no reason to send it.

// bodyForm is how the message is used that the body is.
func bodyForm(op policy.Endpoint) form {
	switch mask, derived := op.UpdateMask(); {
	case mask == nil:
		return input
	case derived:
		return patch
	default:
		return partial
	}
}

// maskWords say what an update mask means for the body. They are empty if there is none.
func (b *builder) maskWords(op policy.Endpoint) string {
	mask, derived := op.UpdateMask()

	switch {
	case mask == nil || b.isFile(op):
		return ""
	case derived:
		return "Rules hold for the fields that `" + b.name(mask) + "` names, which by default are those in the body: " +
			"what is required of them must be there. Other fields are not checked. If it names none, rules hold for all fields."
	default:
		return "Rules hold for the fields that `" + b.name(mask) + "` names: what is required of them must be there. " +
			"Other fields are not checked. Without a mask, or with `*`, rules hold for all fields."
	}
}

// wholeSchema is the schema of a body that is all of the request, and whether there has to be one. If a mask in it says what rules
// hold for, it is either everything, or what there is beside a mask.
func (b *builder) wholeSchema(op policy.Endpoint, message protoreflect.MessageDescriptor) (*Schema, bool) {
	as := bodyForm(op)
	if as != partial || !b.requiresSome(message, map[protoreflect.FullName]bool{}) {
		return b.bodyObject(op, message, "", input)
	}

	mask, _ := op.UpdateMask()
	without := b.elsewhereBelow(op, "")

	// The mask, or a part of it, comes from the path or a header.
	if slices.Contains(without, mask.TextName()) || slices.Contains(without, mask.TextName()+".paths") {
		return b.bodyObject(op, message, "", partial)
	}

	whole, required := b.bodyObject(op, message, "", input)
	schema := b.object(message, partial, without)

	// All rules hold for these.
	if property, ok := schema.Properties.Get(b.name(mask)); ok {
		property.Not = &Schema{Enum: []any{"", "*"}}
	}

	if !slices.Contains(schema.Required, b.name(mask)) {
		schema.Required = append(schema.Required, b.name(mask))
	}

	if op.Policy.Effective.GetAllowUnknownFields() {
		schema.AdditionalProperties = nil
	}

	suffix := reducedSuffix(without, op.Policy.Effective.GetAllowUnknownFields()) + "-masked"
	part := b.refReduced(b.schemaName(message, partial), suffix, schema)

	return &Schema{AnyOf: []*Schema{whole, part}}, required
}

// requiresSome reports whether a message, or one that it holds other than in lists and maps, is refused by rules without some
// field.
func (b *builder) requiresSome(message protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if seen[message.FullName()] {
		return false
	}

	seen[message.FullName()] = true

	byRules := func(f protoreflect.FieldDescriptor) bool { return f.Cardinality() != protoreflect.Required }

	if slices.ContainsFunc(b.requiredFields(message, input), byRules) {
		return true
	}

	for one := range schema.All(message.Oneofs()) {
		if oneofRules(one).GetRequired() {
			return true
		}
	}

	for field := range schema.All(message.Fields()) {
		if isObject(field) && b.requiresSome(field.Message(), seen) {
			return true
		}
	}

	return false
}
