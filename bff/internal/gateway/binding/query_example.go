package binding

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// queryExample shows how a query sets a field: "; write labels=a&labels=b". It is empty if a query cannot.
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

// bracketsExample is the example for a field that is not a map but written with brackets, such as "labels[]" or "filter[name][]".
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
