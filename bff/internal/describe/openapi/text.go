package openapi

import "google.golang.org/protobuf/reflect/protoreflect"

// asText is the schema of a field where its value is text and not JSON.
func asText(schema *Schema, field protoreflect.FieldDescriptor) *Schema {
	switch {
	case field.Enum() != nil && field.Enum().FullName() == protoNull:
		null := &Schema{Type: typeString, Enum: []any{"NULL_VALUE"}}
		if field.IsList() {
			schema.Items = null

			return schema
		}

		null.Description, null.Deprecated = schema.Description, schema.Deprecated

		return null
	case field.Message() != nil && field.Message().FullName() == fieldMask:
		schema.Pattern = maskTextPattern
	}

	return schema
}

// pathText leaves out the texts that the gateway refuses in a path: control characters, backslashes and the segments that are
// removed from paths (RFC 3986, section 5.2.4).
func pathText(schema *Schema, empty bool) {
	const plain = `[^\\\x00-\x1f\x7f-\x9f]`

	pattern, dots := "^"+plain+"+$", &Schema{Enum: []any{".", ".."}}
	if empty {
		pattern = "^" + plain + "*$"
	}

	if schema.Pattern == "" {
		schema.Pattern = pattern
	} else {
		schema.AllOf = append(schema.AllOf, &Schema{Pattern: pattern})
	}

	if schema.Not == nil {
		schema.Not = dots
	} else {
		schema.AllOf = append(schema.AllOf, &Schema{Not: dots})
	}
}

// isFree reports whether any text is a value of the field.
func isFree(field protoreflect.FieldDescriptor) bool {
	wrapped := field.Message() != nil && field.Message().FullName() == "google.protobuf.StringValue"

	return !field.IsList() && (field.Kind() == protoreflect.StringKind || wrapped)
}
