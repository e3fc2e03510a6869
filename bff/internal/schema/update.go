package schema

import (
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fieldMask is the message that names fields.
const fieldMask = "google.protobuf.FieldMask"

// UpdateMask returns the field of the request that names the fields which a PATCH changes: the one field mask beside the body or,
// of several, the one with the name that AIP-134 gives it. It is nil if there is none, and for other routes. Derived reports
// whether the paths of the body are put into it, unless the request sets it.
func (r Route) UpdateMask() (mask protoreflect.FieldDescriptor, derived bool) {
	if r.Method != http.MethodPatch || r.Body == "" {
		return nil, false
	}

	fields := r.Descriptor.Input().Fields()

	var masks []protoreflect.FieldDescriptor

	for field := range All(fields) {
		if isSingle(field) && field.Message().FullName() == fieldMask && string(field.Name()) != r.Body {
			masks = append(masks, field)
		}
	}

	if len(masks) == 1 {
		body := fields.ByName(protoreflect.Name(r.Body))

		return masks[0], body != nil && isSingle(body) && !r.hasVariableIn(masks[0])
	}

	for _, field := range masks {
		if field.Name() == "update_mask" {
			return field, false
		}
	}

	return nil, false
}

// isSingle reports whether the field holds one message.
func isSingle(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && !field.IsList() && !field.IsMap()
}

// hasVariableIn reports whether a path variable sets the field or a part of it.
func (r Route) hasVariableIn(field protoreflect.FieldDescriptor) bool {
	return slices.ContainsFunc(r.Template.Variables(), func(name string) bool {
		first, _, _ := strings.Cut(name, ".")

		return first == field.TextName()
	})
}
