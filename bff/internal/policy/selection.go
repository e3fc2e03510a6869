package policy

import (
	"net/http"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// FieldsParameter is the query parameter by which clients choose the fields of a response (AIP-157), where
// MethodPolicy.field_selection is set.
const FieldsParameter = "fields"

// fieldSelection decides whether clients choose the fields of a response. By default they do where a method only reads. As a
// default of a service it is for the methods that can have it.
func (c *compiler) fieldSelection() {
	on := c.readOnly() || c.route.Method == http.MethodGet
	if c.Effective.FieldSelection != nil {
		on = c.Effective.GetFieldSelection()
	}

	if fault := c.unselectable(); on && fault != "" {
		if c.own.GetFieldSelection() {
			c.faultf("field_selection", "%s", fault)
		}

		on = false
	}

	c.Effective.FieldSelection = &on
}

// unselectable says why clients cannot choose the fields of the response.
func (c *compiler) unselectable() string {
	switch {
	case c.ownsParameter(FieldsParameter):
		return "the request has a field of its own for the query parameter " + FieldsParameter
	case !hasFields(c.method.Output(), c.route.ResponseBody):
		return "the response is no object with fields"
	default:
		return ""
	}
}

// ownsParameter reports whether a query parameter may be for a field of the request.
func (c *compiler) ownsParameter(name string) bool {
	fields := c.request.Fields()

	return c.route.Body != "*" && (fields.ByJSONName(name) != nil || fields.ByTextName(name) != nil)
}

// hasFields reports whether a message, or the field of it that is the body of responses, has fields in JSON, or is a list or a map.
func hasFields(message protoreflect.MessageDescriptor, body string) bool {
	if body != "" {
		field := message.Fields().ByName(protoreflect.Name(body))

		switch {
		case field == nil:
			return false
		case field.IsMap():
			return true
		case field.Message() == nil:
			return false
		}

		message = field.Message()
	}

	return protojson.FormOf(message.FullName()) == protojson.FormObject && message.FullName() != "google.api.HttpBody" &&
		message.Fields().Len() > 0
}
