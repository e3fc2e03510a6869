package schema

import (
	"net/http"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Pages returns the fields of a list that comes in pages (AIP-158): page_token of the request, which the query sets, and
// next_page_token of the response. It is not ok if the route has none.
func (r Route) Pages() (token, next protoreflect.FieldDescriptor, ok bool) {
	const page, nextPage = "page_token", "next_page_token"

	if r.Method != http.MethodGet || r.Body == "*" || r.ServerStream || r.ClientStream ||
		slices.Contains(r.Template.Variables(), page) {
		return nil, nil, false
	}

	token = r.Descriptor.Input().Fields().ByName(page)
	next = r.Descriptor.Output().Fields().ByName(nextPage)

	return token, next, isString(token) && isString(next)
}

// isString reports whether there is such a field, and it is a single string.
func isString(field protoreflect.FieldDescriptor) bool {
	return field != nil && field.Kind() == protoreflect.StringKind && !field.IsList()
}
