package genservices

import (
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// comments are what the protos say of the services and of all that their routes take and give, by full name.
func comments(services []service) map[string]string {
	c := commenter{said: map[string]string{}, seen: map[protoreflect.FullName]bool{}}

	for _, s := range services {
		for _, r := range s.Routes {
			c.note(r.Descriptor.Parent())
			c.note(r.Descriptor)
			c.message(r.Descriptor.Input())
			c.message(r.Descriptor.Output())
		}
	}

	return c.said
}

type commenter struct {
	said map[string]string
	seen map[protoreflect.FullName]bool
}

func (c commenter) message(message protoreflect.MessageDescriptor) {
	if c.seen[message.FullName()] || message.ParentFile().Package() == "google.protobuf" {
		return
	}

	c.seen[message.FullName()] = true
	c.note(message)

	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if !message.IsMapEntry() {
			c.note(field)
		}

		if held := field.Message(); held != nil {
			c.message(held)
		}

		if enum := field.Enum(); enum != nil {
			c.enum(enum)
		}
	}
}

func (c commenter) enum(enum protoreflect.EnumDescriptor) {
	c.note(enum)

	for i := range enum.Values().Len() {
		c.note(enum.Values().Get(i))
	}
}

// note keeps the comment above something, or else the one behind it.
func (c commenter) note(d protoreflect.Descriptor) {
	location := d.ParentFile().SourceLocations().ByDescriptor(d)

	text := clean(location.LeadingComments)
	if text == "" {
		text = clean(location.TrailingComments)
	}

	if text != "" {
		c.said[string(d.FullName())] = text
	}
}

// internalComment is for the authors alone (AIP-192).
var internalComment = regexp.MustCompile(`(?s)\(--.*?--\)`)

// directive is for a linter.
var directive = regexp.MustCompile(`^\s*(buf|portico):lint:`)

// clean takes the margin off a comment, and what is not for the readers of an API.
func clean(comment string) string {
	var lines []string

	for line := range strings.SplitSeq(internalComment.ReplaceAllString(comment, ""), "\n") {
		if !directive.MatchString(line) {
			lines = append(lines, strings.TrimRight(strings.TrimPrefix(line, " "), " \t\r"))
		}
	}

	return strings.TrimSpace(strings.Join(lines, "\n"))
}
