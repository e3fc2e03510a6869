package policy

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Tag names what a response is made of, or what a write changes: "orders:{user_id}".
type Tag struct {
	template string
	texts    []string
	fields   []tagField
}

// String is the tag as the schema writes it.
func (t Tag) String() string { return t.template }

// tagField is a field in a tag. It is looked for in the response first, which knows better.
type tagField struct{ response, request schema.FieldPath }

// Text is the tag of a call. The response may be nil. It is not ok if a field of it has no value: then it names nothing.
func (t Tag) Text(request, response protoreflect.Message) (text string, ok bool) {
	var out strings.Builder

	for i, text := range t.texts {
		out.WriteString(text)

		if i == len(t.fields) {
			break
		}

		value := t.fields[i].value(request, response)
		if value == "" {
			return "", false
		}

		out.WriteString(value)
	}

	return out.String(), true
}

// TagTexts returns the tags of a call. The response may be nil. They are not complete if one has no value.
func TagTexts(tags []Tag, request, response protoreflect.Message) (names []string, complete bool) {
	names, complete = make([]string, 0, len(tags)), true

	for _, tag := range tags {
		name, ok := tag.Text(request, response)
		if !ok {
			complete = false
			continue
		}

		names = append(names, name)
	}

	return names, complete
}

// ResponseFields are the fields of the response that Text looks at.
func (t Tag) ResponseFields() []schema.FieldPath {
	var paths []schema.FieldPath

	for _, f := range t.fields {
		if f.response != nil {
			paths = append(paths, f.response)
		}
	}

	return paths
}

// tags compiles tags; where says what they are in.
func (c *compiler) tags(where string, in []string) []Tag {
	out := make([]Tag, 0, len(in))

	for i, template := range in {
		at := fmt.Sprintf("%s[%d]", where, i)

		texts, names, ok := braces(template)
		if !ok || template == "" {
			c.faultf(at, "%q is empty or has a brace that is not closed", template)

			continue
		}

		tag := Tag{template: template, texts: texts}
		for _, name := range names {
			tag.fields = append(tag.fields, c.tagField(at, name))
		}

		out = append(out, tag)
	}

	return out
}

// tagField finds a field of the response, the request or both.
func (c *compiler) tagField(where, name string) tagField {
	var found tagField

	if path, err := schema.ResolveField(c.method.Output(), name); err == nil && path.HasText() {
		found.response = path
	}

	if path, err := schema.ResolveField(c.request, name); err == nil && path.HasText() {
		found.request = path
	}

	if found.response == nil && found.request == nil {
		c.faultf(where, "neither %s nor %s has a field %q that can be written as a text",
			c.method.Output().FullName(), c.request.FullName(), name)
	}

	return found
}

func (f tagField) value(request, response protoreflect.Message) string {
	if f.response != nil && response != nil {
		if value := f.response.Text(response); value != "" {
			return value
		}
	}

	if f.request != nil {
		return f.request.Text(request)
	}

	return ""
}
