package openapi

import (
	"slices"
	"strings"

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
		Description: "The fields that the response has; all if it is missing. Paths may also be nested, `orders(orderId,total)`," +
			" and `*` is every field.",
		Schema: &Schema{Type: typeArray, Items: b.selectable(op), MinItems: new(uint64(1))},
	}}
}

// selectable is the schema of a path.
func (b *builder) selectable(op policy.Endpoint) *Schema {
	message := op.Descriptor.Output()

	if field := responseField(op); field != nil {
		if field.IsMap() {
			return &Schema{Type: typeString, Enum: []any{"*"}} // The other names are keys.
		}

		message = field.Message()
	}

	name := b.distinctName(message, "Fields")
	if _, made := b.schemas[name]; !made {
		b.schemas[name] = &Schema{
			Type: typeString, Enum: b.paths(message),
			Description: "Paths of fields of a response with " + string(message.FullName()) + ".",
		}
	}

	return component(name)
}

// place is a message within a response.
type place struct {
	message protoreflect.MessageDescriptor
	// path leads to it.
	path schema.FieldPath
}

// paths are those of the fields of a message, level by level as far as there is room for all of a message. Messages within
// themselves are left out.
func (b *builder) paths(message protoreflect.MessageDescriptor) []any {
	paths := []any{"*"}

	for places := []place{{message: message}}; len(places) > 0; places = places[1:] {
		at := places[0]

		if len(at.path) > 0 && len(paths)+at.message.Fields().Len() > maxPaths {
			continue
		}

		for field := range schema.All(at.message.Fields()) {
			if b.hidden(field, output) {
				continue
			}

			path := append(slices.Clone(at.path), field)
			paths = append(paths, b.spelledPath(path))

			if held := field.Message(); hasFields(field) && !within(held, path) {
				places = append(places, place{held, path})
			}
		}
	}

	return paths
}

// hasFields reports whether the values of a field are objects of named fields.
func hasFields(field protoreflect.FieldDescriptor) bool {
	held := field.Message()
	return held != nil && !field.IsMap() && wellKnown(held, output) == nil && held.FullName() != httpBody
}

func (b *builder) spelledPath(path schema.FieldPath) string {
	names := make([]string, len(path))
	for i, field := range path {
		names[i] = b.name(field)
	}

	return strings.Join(names, ".")
}
