package policy

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// Location makes the header Location of a response message (RFC 9110, section 10.2.2). It is safe for concurrent use.
type Location struct {
	// texts are around the fields: one more than there are fields.
	texts  []string
	fields []locationField
	// paths are those of the fields.
	paths []schema.FieldPath
}

// locationField is a field in the path.
type locationField struct {
	name string
	path schema.FieldPath
	// pattern is what the value has to be like, "/{name=shelves/*}". Nil: nothing is said about it.
	pattern *pathtemplate.Template
	// query reports whether it is in the query.
	query bool
}

// LocatedAt is where a response may be found.
type LocatedAt struct {
	// Escaped has values that no pattern is for as one segment each: a slash in them is escaped.
	Escaped string
	// Segments has such values as the segments that they are made of, as resource names are (AIP-122). It is the same if no value
	// has a slash, and empty if a value has segments that are empty or are dots.
	Segments string
}

// IsAmbiguous reports whether the routes that there are decide what the path is: a value has a slash, or a colon, which may begin
// a verb.
func (at LocatedAt) IsAmbiguous() bool {
	return at.Escaped != at.Segments || strings.Contains(at.Escaped, ":")
}

// What is wrong with a value.
var (
	errEmptyField = errors.New("the field is empty")
	errDots       = errors.New("the value has a segment of dots, which clients would resolve")
	errPattern    = errors.New("the value does not match the pattern")
)

// At returns where a message is found. The error says which field has a value that makes no path.
func (l *Location) At(m protoreflect.Message) (LocatedAt, error) {
	const usual = 128 // Bytes of a path. More cost an allocation.

	escaped, segments := make([]byte, 0, usual), make([]byte, 0, usual)
	at, divisible := LocatedAt{}, true

	for i, text := range l.texts {
		escaped, segments = append(escaped, text...), append(segments, text...)

		if i == len(l.fields) {
			break
		}

		f := l.fields[i]

		one, many, err := f.escape(f.path.Text(m))
		if err != nil {
			return at, fmt.Errorf("%s: %w", f.path, err)
		}

		divisible = divisible && many != ""

		escaped, segments = append(escaped, one...), append(segments, many...)
	}

	at.Escaped = string(escaped)
	if dotted(at.Escaped) {
		return at, errDots
	}

	switch {
	case !divisible:
	case bytes.Equal(escaped, segments):
		at.Segments = at.Escaped
	case !dotted(string(segments)):
		at.Segments = string(segments)
	}

	return at, nil
}

// Values are the texts of the fields of a message that are in the path, by the names that the location has for them.
func (l *Location) Values(m protoreflect.Message) map[string]string {
	values := make(map[string]string, len(l.fields))

	for _, f := range l.fields {
		if !f.query {
			values[f.name] = f.path.Text(m)
		}
	}

	return values
}

// Fields are the fields of the message that At looks at. They must not be changed.
func (l *Location) Fields() []schema.FieldPath { return l.paths }

// escape writes a value for a path as one segment and as several; the second is empty if the value cannot be divided.
func (f locationField) escape(text string) (one, many string, err error) {
	switch {
	case text == "":
		return "", "", errEmptyField
	case f.query:
		text = url.QueryEscape(text)

		return text, text, nil
	}

	one = url.PathEscape(text)
	if !strings.HasPrefix(text, "/") && !strings.HasSuffix(text, "/") && !strings.Contains(text, "//") {
		many = strings.ReplaceAll(one, "%2F", "/")
	}

	if f.pattern == nil {
		return one, many, nil
	}

	if many == "" || !f.pattern.Match("/"+many) {
		return "", "", errPattern
	}

	return many, many, nil
}

// dotted reports whether a path has a segment that clients resolve away (RFC 3986, section 5.2.4).
func dotted(path string) bool {
	path, _, _ = strings.Cut(path, "?")

	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}

	return false
}

// location compiles a path with fields in braces, which may have patterns as in path templates.
func (c *compiler) location(template string) *Location {
	if template == "" {
		return nil
	}

	texts, names, ok := braces(template)
	if !ok {
		c.faultf("response.location", "%q has a brace that is not closed", template)

		return nil
	}

	out := &Location{texts: texts}
	query := false

	for i, text := range names {
		query = query || strings.ContainsAny(texts[i], "?#")

		field := c.locationField(text, query)
		out.fields, out.paths = append(out.fields, field), append(out.paths, field.path)
	}

	if !strings.HasPrefix(template, "/") {
		c.faultf("response.location", `%q must begin with "/"`, template)
	}

	if c.method.IsStreamingServer() {
		c.faultf("response.location", "streams cannot have one")
	}

	// A reference holds printable ASCII without spaces (RFC 3986, section 2).
	if strings.ContainsFunc(strings.Join(texts, ""), func(c rune) bool { return c <= ' ' || c > '~' }) {
		c.faultf("response.location", "%q has a character that must be escaped", template)
	}

	return out
}

func (c *compiler) locationField(text string, query bool) locationField {
	name, pattern, patterned := strings.Cut(text, "=")
	f := locationField{name: name, path: c.field("response.location", c.method.Output(), name), query: query}

	if patterned {
		parsed, err := pathtemplate.Parse("/{" + text + "}")
		if err != nil {
			c.faultf("response.location", "the pattern %q: %w", pattern, err)
		}

		f.pattern = &parsed
	}

	return f
}

// LeadsTo reports whether a location may lead to a route: whether their templates are the same but for what is in the variables.
func LeadsTo(location, template string) bool {
	return withoutPatterns(location) == withoutPatterns(template)
}

// withoutPatterns removes the patterns of the variables of a template.
func withoutPatterns(template string) string {
	texts, names, ok := braces(template)
	if !ok {
		return template
	}

	var out strings.Builder

	for i, text := range texts {
		out.WriteString(text)

		if i < len(names) {
			name, _, _ := strings.Cut(names[i], "=")
			out.WriteString("{" + name + "}")
		}
	}

	return out.String()
}
