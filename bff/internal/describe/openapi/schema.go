package openapi

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// form is how a message is used, on which its schema depends.
type form int

const (
	// output is what the gateway writes: nothing is checked, and anything may be left out.
	output form = iota
	// input is what clients send: unknown fields are refused, and rules hold.
	input
	// patch is input that may be incomplete, and where null resets a field.
	patch
	// partial is input that is required to have only what a mask names.
	partial
)

// ref is a reference to the schema of a message, which it makes if there is none.
func (b *builder) ref(message protoreflect.MessageDescriptor, as form) *Schema {
	if known := wellKnown(message, as); known != nil {
		return known
	}

	if as == partial && !b.requiresSome(message, map[protoreflect.FullName]bool{}) {
		as = input
	}

	name := b.schemaName(message, as)
	if _, made := b.schemas[name]; !made {
		b.schemas[name] = &Schema{} // For messages that hold themselves.
		*b.schemas[name] = *b.object(message, as, nil)
	}

	return component(name)
}

// object is the schema of a message but for some fields, or fields of what it holds, which are elsewhere in the request.
func (b *builder) object(message protoreflect.MessageDescriptor, as form, without []string) *Schema {
	object := &Schema{Type: typeObject, Description: b.comment(message), Properties: &Map[*Schema]{}}

	for field := range schema.All(message.Fields()) {
		if b.hidden(field, as) || slices.Contains(without, field.TextName()) {
			continue
		}

		object.Properties.Set(b.name(field), b.fieldWithout(field, as, below(without, field)))

		if as == output && b.gateway.JSON.EmitDefaults && !b.selective && !field.HasPresence() {
			object.Required = append(object.Required, b.name(field))
		}
	}

	for _, field := range b.requiredFields(message, as) {
		// A message is there if a part of it is.
		if !slices.Contains(without, field.TextName()) && below(without, field) == nil {
			object.Required = append(object.Required, b.name(field))
		}
	}

	if as == output {
		return object
	}

	object.AdditionalProperties = false
	for _, rule := range messageRules(message).GetCel() {
		object.Description = sentences(object.Description, rule.GetMessage())
	}

	b.restrictOneofs(object, message, as, without)

	return object
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

// field is the schema of a field.
func (b *builder) field(field protoreflect.FieldDescriptor, as form) *Schema {
	return b.fieldWithout(field, as, nil)
}

// fieldWithout is the schema of a field, or of one that holds a message but for some fields within it.
func (b *builder) fieldWithout(field protoreflect.FieldDescriptor, as form, without []string) *Schema {
	schema := b.value(field, as, without)
	schema.Description = b.comment(field)

	if as != output {
		rules := relaxed(fieldRules(field), field)
		b.apply(schema, rules, field)
		applyRequired(schema, rules, field)
	}

	schema.Description = sentences(schema.Description, b.oneofWords(field, as))

	if options, ok := field.Options().(*descriptorpb.FieldOptions); ok {
		schema.Deprecated = options.GetDeprecated()
	}

	// What is required cannot be reset.
	if as == patch && !b.isRequired(field, input) {
		return nullable(schema)
	}

	return schema
}

// value is the schema of a field without what is said of it.
func (b *builder) value(field protoreflect.FieldDescriptor, as form, without []string) *Schema {
	switch {
	case without != nil:
		message := field.Message()

		return b.refReduced(b.schemaName(message, as), reducedSuffix(without, false), b.object(message, as, without))
	case field.IsMap():
		values := b.single(field.MapValue(), inside(as))

		return &Schema{Type: typeObject, AdditionalProperties: values, PropertyNames: mapKey(field.MapKey().Kind())}
	case field.IsList():
		return &Schema{Type: typeArray, Items: b.single(field, inside(as))}
	default:
		return b.single(field, as)
	}
}

// single is the schema of one value of a field.
func (b *builder) single(field protoreflect.FieldDescriptor, as form) *Schema {
	switch {
	case field.Message() != nil:
		return b.ref(field.Message(), as)
	case field.Enum() != nil:
		return b.enum(field.Enum())
	default:
		return scalar(field.Kind())
	}
}

// enum is a reference to the schema of an enum.
func (b *builder) enum(enum protoreflect.EnumDescriptor) *Schema {
	if enum.FullName() == protoNull {
		return &Schema{Type: typeNull}
	}

	name := b.distinctName(enum, "")
	if _, made := b.schemas[name]; !made {
		listed := &Schema{Type: typeString, Description: b.comment(enum)}
		lines := []string{}

		for value := range schema.All(enum.Values()) {
			listed.Enum = append(listed.Enum, string(value.Name()))

			if comment := b.comment(value); comment != "" {
				lines = append(lines, "- `"+string(value.Name())+"`: "+strings.ReplaceAll(comment, "\n", " "))
			}
		}

		if len(lines) > 0 {
			listed.Description = sentences(listed.Description, "\n\n"+strings.Join(lines, "\n"))
		}

		b.schemas[name] = listed
	}

	return component(name)
}

// nullable also allows null.
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
