package policy

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/fieldpath"
)

// Tag names what an answer is made of, or what a write changes: "orders:{user_id}".
type Tag struct {
	texts  []string
	fields []tagField
}

// tagField is a field in a tag. It is looked for in the response first, which knows better.
type tagField struct{ response, request fieldpath.Path }

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
