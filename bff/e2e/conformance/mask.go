package conformance

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// maskOf finds the field mask beside the body of an update; nil if there is none.
func maskOf(method string, input protoreflect.MessageDescriptor, body protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	var found []protoreflect.FieldDescriptor

	for i := range input.Fields().Len() {
		field := input.Fields().Get(i)
		isMask := field.Message() != nil && !field.IsList() && field.Message().FullName() == "google.protobuf.FieldMask"

		if method == http.MethodPatch && isMask && field != body {
			found = append(found, field)
		}
	}

	if len(found) == 1 {
		return found[0]
	}

	if i := slices.IndexFunc(found, func(f protoreflect.FieldDescriptor) bool { return f.Name() == "update_mask" }); i >= 0 {
		return found[i]
	}

	return nil
}

// named are the paths of the mask that the query has; nil if it has none.
func (b *binding) named(query url.Values) []string {
	if b == nil || b.mask == nil {
		return nil
	}

	for name, values := range query {
		if path, err := schema.ResolveField(b.input, name); err == nil && len(path) == 1 && path[0] == b.mask {
			return strings.Split(values[0], ",")
		}
	}

	return nil
}

// clearUnnamed takes out of an update what its mask does not name: it is not checked.
func (b *binding) clearUnnamed(message protoreflect.Message, named []string) {
	if b.mask == nil {
		return
	}

	if b.field == nil && message.Has(b.mask) {
		mask := message.Get(b.mask).Message()

		list := mask.Get(mask.Descriptor().Fields().ByName("paths")).List()
		for i := range list.Len() {
			named = append(named, list.Get(i).String())
		}
	}

	resources := []protoreflect.FieldDescriptor{b.field}
	if b.field == nil {
		resources = nil

		for i := range b.input.Fields().Len() {
			resources = append(resources, b.input.Fields().Get(i))
		}
	}

	for _, field := range resources {
		if isObject(field) && field != b.mask && leads(field.Message(), named) {
			if message.Has(field) {
				keepNamed(message.Mutable(field).Message(), named)
			}

			return
		}
	}

	if b.field == nil && leads(b.input, named) {
		keepNamed(message, append(named, string(b.mask.Name())))
	}
}

func isObject(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && !field.IsList() && !field.IsMap()
}

// leads reports whether a path begins with a field of the message.
func leads(message protoreflect.MessageDescriptor, paths []string) bool {
	return slices.ContainsFunc(paths, func(path string) bool {
		first, _, _ := strings.Cut(path, ".")

		for i := range message.Fields().Len() {
			if isNamed(message.Fields().Get(i), first) {
				return true
			}
		}

		return false
	})
}

func isNamed(field protoreflect.FieldDescriptor, name string) bool {
	return name == string(field.Name()) || name == field.JSONName() || camel(name) == field.JSONName()
}

// keepNamed leaves what the paths lead to.
func keepNamed(message protoreflect.Message, paths []string) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		var (
			within []string
			whole  bool
		)

		for _, path := range paths {
			first, rest, more := strings.Cut(path, ".")
			if isNamed(field, first) {
				within = append(within, rest)
				whole = whole || !more
			}
		}

		switch {
		case field.Cardinality() == protoreflect.Required, whole:
		case len(within) == 0:
			message.Clear(field)
		case isObject(field):
			keepNamed(value.Message(), within)
		}

		return true
	})
}
