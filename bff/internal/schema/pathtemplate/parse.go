package pathtemplate

import (
	"fmt"
	"slices"
	"strings"
)

// SyntaxError says what is wrong with a template, and where.
type SyntaxError struct {
	Template string
	// Offset is in bytes, from 0.
	Offset  int
	Message string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("path template %q: at offset %d: %s", e.Template, e.Offset, e.Message)
}

// Parse reads a template by the grammar in google/api/http.proto:
//
//	Template = "/" Segments [ Verb ] ;
//	Segments = Segment { "/" Segment } ;
//	Segment  = "*" | "**" | LITERAL | Variable ;
//	Variable = "{" FieldPath [ "=" Segments ] "}" ;
//	FieldPath = IDENT { "." IDENT } ;
//	Verb     = ":" LITERAL ;
//
// As for grpc-gateway, "/" alone is a template, a verb after a variable may contain colons, and one "**" may be anywhere.
// Unlike there, literals hold only characters that have one spelling in a path: "%41" and "a*b" would
// not match what they seem to say. Empty segments, empty verbs and a variable given twice are refused. The error is a *SyntaxError.
func Parse(template string) (Template, error) {
	p := parser{out: Template{text: template}}
	if fault := p.template(); fault != nil {
		return Template{}, fault
	}

	if !p.out.deep {
		p.out.gap = len(p.out.segments)
	}

	p.out.ending = ending(p.out)
	p.out.slashes = len(p.out.variables) > 0 && !slices.ContainsFunc(p.out.variables, func(v variable) bool { return !v.fixed() })

	return p.out, nil
}

// ending is the verb of every path that a template matches.
func ending(t Template) string {
	if t.gap == len(t.segments) && t.deep || t.segments[len(t.segments)-1].wild {
		return t.verb
	}

	_, verb := splitVerb(t.at(len(t.segments)-1, len(t.segments)).text)

	return verb
}

// splitVerb cuts the longest verb off a segment, with its colon. A verb is not all of a segment, and not empty.
func splitVerb(segment string) (head, verb string) {
	if at := strings.IndexByte(segment[min(1, len(segment)):], ':') + 1; at > 0 && at+1 < len(segment) {
		return segment[:at], segment[at+1:]
	}

	return segment, ""
}

type parser struct {
	out Template
	// pos is the offset of what has not been read.
	pos int
}

func (p *parser) fault(offset int, format string, args ...any) *SyntaxError {
	return &SyntaxError{Template: p.out.text, Offset: offset, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) template() *SyntaxError {
	text := p.out.text
	if !strings.HasPrefix(text, "/") {
		return p.fault(0, "no leading slash")
	}

	if text == "/" {
		// Split on slashes, the path "/" is one empty segment.
		p.out.segments = []segment{{}}

		return nil
	}

	for p.pos < len(text) {
		p.pos++ // The slash.

		read := p.segment
		if strings.HasPrefix(text[p.pos:], "{") {
			read = p.variable
		}

		if fault := read(); fault != nil {
			return fault
		}
	}

	return nil
}

// segment reads one without variable and, if it is the last, the verb.
func (p *parser) segment() *SyntaxError {
	start := p.pos
	part, _, more := strings.Cut(p.out.text[start:], "/")
	p.pos += len(part)

	colon := strings.LastIndexByte(part, ':')
	if more || colon < 0 {
		return p.add(part, start)
	}

	if fault := p.add(part[:colon], start); fault != nil {
		return fault
	}

	return p.setVerb(start + colon)
}

// variable reads "{name=segments}" and, if it is the last, the verb.
func (p *parser) variable() *SyntaxError {
	start := p.pos + 1
	body, after, closed := strings.Cut(p.out.text[start:], "}")

	if !closed {
		return p.fault(p.pos, "variable without closing brace")
	}

	p.pos = start + len(body) + 1

	name, pattern, explicit := strings.Cut(body, "=")
	if fault := p.fieldPath(name, start); fault != nil {
		return fault
	}

	if !explicit {
		pattern = "*"
	}

	v := variable{name: name, first: len(p.out.segments)}
	deepBefore := p.out.deep

	offset := start + len(name) + 1
	for part := range strings.SplitSeq(pattern, "/") {
		if fault := p.add(part, offset); fault != nil {
			return fault
		}

		offset += len(part) + 1
	}

	v.end, v.deep = len(p.out.segments), p.out.deep && !deepBefore
	p.out.variables = append(p.out.variables, v)

	switch {
	case after == "" || after[0] == '/':
		return nil
	case after[0] == ':':
		return p.setVerb(p.pos)
	default:
		return p.fault(p.pos, "a variable must be followed by a slash, a verb or nothing")
	}
}

// add appends a wildcard or a literal.
func (p *parser) add(part string, offset int) *SyntaxError {
	switch part {
	case "":
		if strings.HasPrefix(p.out.text[offset:], ":") {
			return p.fault(offset, "empty segment before a verb; a variable is written {name}")
		}

		return p.fault(offset, "empty segment")
	case ".", "..":
		return p.fault(offset, "dot segments are removed from paths (RFC 3986, section 5.2.4)")
	case "*":
		p.out.segments = append(p.out.segments, segment{wild: true})
	case "**":
		if p.out.deep {
			return p.fault(offset, `a second "**"`)
		}

		p.out.deep, p.out.gap = true, len(p.out.segments)
	default:
		if fault := p.literal(part, offset); fault != nil {
			return fault
		}

		p.out.segments = append(p.out.segments, segment{text: part})
	}

	return nil
}

// setVerb makes all after the colon the verb.
func (p *parser) setVerb(colon int) *SyntaxError {
	p.pos = len(p.out.text)
	p.out.verb = p.out.text[colon+1:]

	if p.out.verb == "" {
		return p.fault(p.pos, "empty verb")
	}

	return p.literal(p.out.verb, colon+1)
}

// literal refuses all but the characters that net/url leaves as they are in a path, and among those the ones that it also accepts
// escaped without remembering it ("!", "'", "(", ")" and "*").
func (p *parser) literal(text string, offset int) *SyntaxError {
	for i, r := range text {
		if !isLetter(r) && !isDigit(r) && !strings.ContainsRune("-._~$&+,;=:@", r) {
			return p.fault(offset+i, "%q is not allowed in a literal", r)
		}
	}

	return nil
}

// fieldPath checks the name of a variable.
func (p *parser) fieldPath(name string, offset int) *SyntaxError {
	if slices.ContainsFunc(p.out.variables, func(v variable) bool { return v.name == name }) {
		return p.fault(offset, "variable %q for the second time", name)
	}

	for part := range strings.SplitSeq(name, ".") {
		if part == "" {
			return p.fault(offset, "empty field name")
		}

		for i, r := range part {
			if !isLetter(r) && r != '_' && (i == 0 || !isDigit(r)) {
				return p.fault(offset+i, "%q is not allowed here in a field name", r)
			}
		}

		offset += len(part) + 1
	}

	return nil
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
