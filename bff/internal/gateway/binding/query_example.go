package binding

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// queryExample says how a query gives a field, by an example: "; write labels=a&labels=b". It is empty for a field that a query cannot
// give.
func queryExample(path schema.FieldPath) string {
	name, field := protojson.Clip(path.String()), path.Last()

	value := field
	if field.IsMap() {
		value = field.MapValue()
	}

	object := value.Message() != nil && !isValue(value)

	switch {
	case object && (field.IsMap() || field.IsList() || value.Message().Fields().Len() == 0),
		value.Message() != nil && value.Message().FullName() == "google.protobuf.Any":
		return ""
	case object:
		return "; write " + name + "." + value.Message().Fields().Get(0).JSONName() + "=value"
	case field.IsMap():
		return "; write " + name + "[key]=value"
	case field.IsList():
		return "; write " + name + "=a&" + name + "=b"
	case isMask(field):
		return "; write " + name + "=a,b.c"
	default:
		return "; write " + name + "=value"
	}
}

// bracketsExample is the example for what a client wrote with brackets behind a field that is no map, as in "labels[]" or
// "filter[name][]": for the field that the names in them lead to.
func bracketsExample(path schema.FieldPath, key string) string {
	path = slices.Clone(path)

	for name := range strings.SplitSeq(key, "][") {
		if !isPlain(path.Last()) {
			break
		}

		inner, err := schema.ResolveFieldWithin(path.Last().Message(), name, 1)
		if err != nil {
			break
		}

		path = append(path, inner...)
	}

	return queryExample(path)
}

func isMask(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().FullName() == fieldMask
}
