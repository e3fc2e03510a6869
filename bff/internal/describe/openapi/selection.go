package openapi

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// maxPaths is how many paths of fields are listed for a message. The fields of the message itself always are.
const maxPaths = 250

// selection is the parameter by which clients choose the fields of the response; none if they cannot.
func (b *builder) selection(op policy.Endpoint) []*Parameter {
	if !op.Policy.Effective.GetFieldSelection() {
		return nil
	}

	return []*Parameter{{
		Name: policy.FieldsParameter, In: inQuery, Style: "form", Explode: new(false),
		Description: "The fields that the response has; all if it is missing.",
		Schema: &Schema{AnyOf: []*Schema{
			{Type: typeArray, Items: b.selectable(op), MinItems: new(uint64(1))},
			{
				Type: typeString, MinLength: new(uint64(1)),
				Description: "Any selection as one text. Paths may be nested, as in `user,orders(orderId,total)`," +
					" and name entries of maps.",
			},
		}},
	}}
}

// selectable is the schema of a path.
func (b *builder) selectable(op policy.Endpoint) *Schema {
	message := op.Descriptor.Output()

	if field := responseField(op); field != nil {
		if field.IsMap() {
			return &Schema{Type: typeString, Enum: b.paths(field.MapValue().Message(), "*")}
		}

		message = field.Message()
	}

	name := b.distinctName(message, "Fields")
	if _, made := b.schemas[name]; !made {
		b.schemas[name] = &Schema{
			Type: typeString, Enum: b.paths(message, ""),
			Description: "Paths of fields of a response with " + string(message.FullName()) +
				". `*` is all of it, or each entry of a map.",
		}
	}

	return component(name)
}

// place is a message within a response.
type place struct {
	message protoreflect.MessageDescriptor
	// fields lead to it.
	fields schema.FieldPath
	// path is how they are written. It ends with "*" if the message is the value of an entry of a map.
	path string
}

// paths are those of the fields of a message, level by level as far as there is room for all of a message. Messages within
// themselves are left out. The message is the response, or the value of each entry if it is a map; then it may be nil.
func (b *builder) paths(message protoreflect.MessageDescriptor, root string) []any {
	paths, places := []any{"*"}, []place{}
	if hasFields(message) {
		places = append(places, place{message: message, path: root})
	}

	for ; len(places) > 0; places = places[1:] {
		at := places[0]

		if len(at.fields) > 0 && len(paths)+at.message.Fields().Len() > maxPaths {
			continue
		}

		for field := range schema.All(at.message.Fields()) {
			if b.hidden(field, output) {
				continue
			}

			inner := place{field.Message(), append(slices.Clone(at.fields), field), joinPath(at.path, b.name(field))}
			paths = append(paths, inner.path)

			if field.IsMap() {
				inner.message, inner.path = field.MapValue().Message(), joinPath(inner.path, "*")
				paths = append(paths, inner.path)
			}

			if hasFields(inner.message) && !within(inner.message, inner.fields) {
				places = append(places, inner)
			}
		}
	}

	return paths
}

// hasFields reports whether a message, if there is one, is an object of named fields in JSON.
func hasFields(message protoreflect.MessageDescriptor) bool {
	return message != nil && wellKnown(message, output) == nil && message.FullName() != httpBody
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}

	return path + "." + name
}
