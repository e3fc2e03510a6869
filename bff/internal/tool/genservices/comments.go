package genservices

import (
	"cmp"
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// comments returns the comments of the services, and of their requests and responses, by full name.
func comments(services []service) map[string]string {
	c := commenter{texts: map[string]string{}, seen: map[protoreflect.FullName]bool{}}

	for _, s := range services {
		for _, r := range s.Routes {
			c.add(r.Descriptor.Parent())
			c.add(r.Descriptor)
			c.message(r.Descriptor.Input())
			c.message(r.Descriptor.Output())
		}
	}

	return c.texts
}

type commenter struct {
	texts map[string]string
	seen  map[protoreflect.FullName]bool
}

func (c commenter) message(message protoreflect.MessageDescriptor) {
	if c.seen[message.FullName()] || message.ParentFile().Package() == "google.protobuf" {
		return
	}

	c.seen[message.FullName()] = true
	c.add(message)

	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if !message.IsMapEntry() {
			c.add(field)
		}

		if field.Message() != nil {
			c.message(field.Message())
		}

		if field.Enum() != nil {
			c.enum(field.Enum())
		}
	}
}

func (c commenter) enum(enum protoreflect.EnumDescriptor) {
	c.add(enum)

	for i := range enum.Values().Len() {
		c.add(enum.Values().Get(i))
	}
}

// add adds the comment before something, or else the one after it.
func (c commenter) add(d protoreflect.Descriptor) {
	location := d.ParentFile().SourceLocations().ByDescriptor(d)

	text := cmp.Or(clean(location.LeadingComments), clean(location.TrailingComments))
	if text != "" {
		c.texts[string(d.FullName())] = text
	}
}

// internalComment is for the authors alone (AIP-192).
var internalComment = regexp.MustCompile(`(?s)\(--.*?--\)`)

// directive is for a linter.
var directive = regexp.MustCompile(`^\s*(buf|portico):lint:`)

// clean removes the margin of a comment, and what is not for the readers of an API.
func clean(comment string) string {
	var lines []string

	for line := range strings.SplitSeq(internalComment.ReplaceAllString(comment, ""), "\n") {
		if !directive.MatchString(line) {
			lines = append(lines, strings.TrimRight(strings.TrimPrefix(line, " "), " \t\r"))
		}
	}

	return strings.TrimSpace(strings.Join(lines, "\n"))
}
