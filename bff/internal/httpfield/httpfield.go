// Package httpfield reads the values of HTTP fields: lists, weights, media ranges, content codings, entity tags and the directives
// of caches (RFC 9110, sections 5.6, 8.8.3, 12.4 and 12.5; RFC 9111, section 5.2).
//
// It accepts deviations from the grammar that clients are known to send, such as a weight of ".2", and ignores elements that it
// cannot read.
package httpfield

import (
	"iter"
	"strings"
)

// space is what may be around elements (OWS: RFC 9110, section 5.6.3).
const space = " \t"

// Elements yields the elements of a list in the lines of a field, without spaces around them and without empty ones (RFC 9110,
// section 5.6.1). A comma in a quoted string does not separate them.
func Elements(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for element := range split(line, ',') {
				if element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

// Has reports whether a list has an element, in any case.
func Has(lines []string, element string) bool {
	for known := range Elements(lines) {
		if strings.EqualFold(known, element) {
			return true
		}
	}

	return false
}

// split splits a text at each separator outside of quoted strings, and trims spaces.
func split(text string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest, more := text, true; more; {
			var part string
			if part, rest, more = cut(rest, separator); !yield(part) {
				return
			}
		}
	}
}

// cut cuts a text at the first separator outside of quoted strings (RFC 9110, section 5.6.4), and trims spaces before it. If there
// is none, all of the text is before it.
func cut(text string, separator byte) (before, after string, found bool) {
	quoted, escaped := false, false

	for i := range len(text) {
		switch c := text[i]; {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			return strings.Trim(text[:i], space), text[i+1:], true
		}
	}

	return strings.Trim(text, space), "", false
}

// unquote returns the text of a token or a quoted string.
func unquote(text string) string {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return text
	}

	text = text[1 : len(text)-1]
	if !strings.Contains(text, `\`) {
		return text
	}

	var out strings.Builder

	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}

		out.WriteByte(text[i])
	}

	return out.String()
}

// parameter returns the first parameter of an element with this name, in any case (RFC 9110, section 5.6.6).
func parameter(element, name string) (value string, found bool) {
	_, rest, more := cut(element, ';')
	for more {
		var part string

		part, rest, more = cut(rest, ';')
		if known, value, _ := strings.Cut(part, "="); strings.EqualFold(strings.Trim(known, space), name) {
			return unquote(strings.Trim(value, space)), true
		}
	}

	return "", false
}
