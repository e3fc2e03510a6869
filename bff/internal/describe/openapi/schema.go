package openapi

import (
	"fmt"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// form is how a message is used, on which its schema depends.
type form int

const (
	// output is what the gateway writes: nothing is checked, and anything may be left out.
	output form = iota
	// input is what clients send: unknown fields are refused, and rules hold.
	input
	// patch is input of which only a part has to be there, and where null resets a field.
	patch
	// partial is input of which only the part has to be there that a mask names.
	partial
)

// ref is a reference to the schema of a message, which it makes if there is none.
func (b *builder) ref(message protoreflect.MessageDescriptor, as form) (*Schema, error) {
	if known := wellKnown(message, as); known != nil {
		return known, nil
	}

	if as == partial && !b.hasDemands(message, map[protoreflect.FullName]bool{}) {
		as = input
	}

	name := b.schemaName(message, as)
	if _, made := b.schemas[name]; !made {
		b.schemas[name] = &Schema{} // For messages that hold themselves.

		made, err := b.object(message, as, nil)
		if err != nil {
			return nil, err
		}

		*b.schemas[name] = *made
	}

	return component(name), nil
}

// refWithout is a reference to the schema of a message but for some fields.
func (b *builder) refWithout(message protoreflect.MessageDescriptor, as form, without []string) (*Schema, error) {
	schema, err := b.object(message, as, without)
	if err != nil {
		return nil, err
	}

	return b.refReduced(b.schemaName(message, as), reducedSuffix(without, false), schema), nil
}

// object is the schema of a message but for some fields, or fields of what it holds, which are elsewhere in the request.
func (b *builder) object(message protoreflect.MessageDescriptor, as form, without []string) (*Schema, error) {
	schema := &Schema{Type: "object", Description: b.comment(message), Properties: &Map[*Schema]{}}

	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)

		hidden, err := b.hidden(field, as)
		if err != nil {
			return nil, err
		}

		if hidden || slices.Contains(without, field.TextName()) {
			continue
		}

		property, err := b.fieldWithout(field, as, below(without, field))
		if err != nil {
			return nil, err
		}

		schema.Properties.Set(b.name(field), property)

		if as == output && b.config.EmitDefaults && !field.HasPresence() {
			schema.Required = append(schema.Required, b.name(field))
		}
	}

	needed, err := b.needed(message, as)
	if err != nil {
		return nil, err
	}

	for _, field := range needed {
		// A message is there if a part of it is.
		if !slices.Contains(without, field.TextName()) && below(without, field) == nil {
			schema.Required = append(schema.Required, b.name(field))
		}
	}

	if as == output {
		return schema, nil
	}

	schema.AdditionalProperties = false

	return schema, b.restrict(schema, message, as, without)
}

// below are the paths within a field among paths of fields.
func below(paths []string, field protoreflect.FieldDescriptor) []string {
	var out []string

	for _, path := range paths {
		if rest, ok := strings.CutPrefix(path, field.TextName()+"."); ok && isObject(field) {
			out = append(out, rest)
		}
	}

	return out
}

// restrict adds what the rules say of a message as a whole.
func (b *builder) restrict(schema *Schema, message protoreflect.MessageDescriptor, as form, without []string) error {
	rules, err := protovalidate.ResolveMessageRules(message)
	if err != nil {
		return fmt.Errorf("rules of %s: %w", message.FullName(), err)
	}

	for _, rule := range rules.GetCel() {
		schema.Description = sentences(schema.Description, rule.GetMessage())
	}

	return b.restrictOneofs(schema, message, as, without)
}

// field is the schema of a field.
func (b *builder) field(field protoreflect.FieldDescriptor, as form) (*Schema, error) {
	return b.fieldWithout(field, as, nil)
}

// fieldWithout is the schema of a field, or of one that holds a message but for some fields within it.
func (b *builder) fieldWithout(field protoreflect.FieldDescriptor, as form, without []string) (*Schema, error) {
	schema, err := b.value(field, as, without)
	if err != nil {
		return nil, err
	}

	schema.Description = b.comment(field)

	if as != output {
		rules, err := protovalidate.ResolveFieldRules(field)
		if err != nil {
			return nil, fmt.Errorf("rules of %s: %w", field.FullName(), err)
		}

		if rules, err = relaxed(rules, field); err != nil {
			return nil, err
		}

		b.apply(schema, rules, field)
		applyRequired(schema, rules, field)
	}

	words, err := b.oneofWords(field, as)
	if err != nil {
		return nil, err
	}

	schema.Description = sentences(schema.Description, words)

	if options, ok := field.Options().(*descriptorpb.FieldOptions); ok {
		schema.Deprecated = options.GetDeprecated()
	}

	if as != patch {
		return schema, nil
	}

	// What is needed cannot be reset.
	needed, err := b.isNeeded(field, input)
	if !needed && err == nil {
		schema = nullable(schema)
	}

	return schema, err
}

// value is the schema of a field without what is said of it.
func (b *builder) value(field protoreflect.FieldDescriptor, as form, without []string) (*Schema, error) {
	switch {
	case without != nil:
		return b.refWithout(field.Message(), as, without)
	case field.IsMap():
		values, err := b.single(field.MapValue(), inside(as))
		if err != nil {
			return nil, err
		}

		return &Schema{Type: typeObject, AdditionalProperties: values, PropertyNames: mapKey(field.MapKey().Kind())}, nil
	case field.IsList():
		items, err := b.single(field, inside(as))
		if err != nil {
			return nil, err
		}

		return &Schema{Type: typeArray, Items: items}, nil
	default:
		return b.single(field, as)
	}
}

// single is the schema of one value of a field.
func (b *builder) single(field protoreflect.FieldDescriptor, as form) (*Schema, error) {
	switch {
	case field.Message() != nil:
		return b.ref(field.Message(), as)
	case field.Enum() != nil:
		return b.enum(field.Enum()), nil
	default:
		return scalar(field.Kind()), nil
	}
}

// enum is a reference to the schema of an enum.
func (b *builder) enum(enum protoreflect.EnumDescriptor) *Schema {
	if enum.FullName() == protoNull {
		return &Schema{Type: typeNull}
	}

	name := b.distinctName(enum, "")
	if _, made := b.schemas[name]; !made {
		schema := &Schema{Type: typeString, Description: b.comment(enum)}
		lines := []string{}

		for i := range enum.Values().Len() {
			value := enum.Values().Get(i)
			schema.Enum = append(schema.Enum, string(value.Name()))

			if comment := b.comment(value); comment != "" {
				lines = append(lines, "- `"+string(value.Name())+"`: "+strings.ReplaceAll(comment, "\n", " "))
			}
		}

		if len(lines) > 0 {
			schema.Description = sentences(schema.Description, "\n\n"+strings.Join(lines, "\n"))
		}

		b.schemas[name] = schema
	}

	return component(name)
}

// nullable lets null through besides.
func nullable(schema *Schema) *Schema {
	null := &Schema{Type: typeNull}

	switch typed := schema.Type.(type) {
	case string:
		if typed == typeNull {
			return schema
		}

		if len(schema.Enum) == 0 && schema.Const == nil && schema.AnyOf == nil && schema.OneOf == nil {
			schema.Type = []string{typed, typeNull}

			return schema
		}
	case nil:
		if schema.Ref == "" && schema.OneOf == nil {
			return schema // Anything goes.
		}
	}

	description := schema.Description
	schema.Description = ""

	return &Schema{Description: description, OneOf: []*Schema{schema, null}}
}

// sentences joins texts that are not empty.
func sentences(texts ...string) string {
	var out strings.Builder

	for _, text := range texts {
		if text == "" {
			continue
		}

		if out.Len() > 0 && !strings.HasPrefix(text, "\n") {
			out.WriteByte(' ')
		}

		out.WriteString(text)
	}

	return strings.TrimSpace(out.String())
}
