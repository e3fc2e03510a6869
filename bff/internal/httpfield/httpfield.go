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

// split splits a text at each separator outside of quoted strings (RFC 9110, section 5.6.4), and trims spaces.
func split(text string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, quoted, escaped := 0, false, false

		for i := range len(text) {
			switch c := text[i]; {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case c == separator && !quoted:
				if !yield(strings.Trim(text[start:i], space)) {
					return
				}

				start = i + 1
			}
		}

		yield(strings.Trim(text[start:], space))
	}
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

// parameters splits an element into its value and parameters, with names in lower case (RFC 9110, section 5.6.6).
func parameters(element string) (value string, params iter.Seq2[string, string]) {
	// Most have none.
	value, _, found := strings.Cut(element, ";")
	if !found {
		return value, func(func(string, string) bool) {}
	}

	return strings.Trim(value, space), func(yield func(string, string) bool) {
		first := true

		for part := range split(element, ';') {
			name, value, _ := strings.Cut(part, "=")
			if !first && name != "" && !yield(strings.ToLower(strings.Trim(name, space)), unquote(strings.Trim(value, space))) {
				return
			}

			first = false
		}
	}
}
