package pathtemplate

import (
	"strings"
)

// variable is a named part of a template: segments[first:end] and, if it is deep, the "**" before segments[gap].
type variable struct {
	name       string
	first, end int
	deep       bool
}

// fixed reports whether the variable holds several segments, of a number that is known.
func (v variable) fixed() bool { return !v.deep && v.end-v.first > 1 }

// FixedSlashes is how many slashes are between the segments of each variable that has a known number of them, more than one.
func (t Template) FixedSlashes() map[string]int {
	slashes := map[string]int{}

	for _, v := range t.variables {
		if v.fixed() {
			slashes[v.name] = v.end - v.first - 1
		}
	}

	return slashes
}

// reserved are the characters that stay escaped in what "**" matches (RFC 6570, section 1.5, as google/api/http.proto says).
const reserved = "!#$&'()*+,/:;=?@[]"

// Value is what a variable of a template holds.
type Value struct{ Name, Text string }

// Values are those of the variables of a template, in its order. There are few, so that looking for one is cheaper than a map.
type Values []Value

// Get returns what a variable holds; empty if there is none of this name.
func (v Values) Get(name string) string {
	for _, value := range v {
		if value.Name == name {
			return value.Text
		}
	}

	return ""
}

// Map returns the values by name. It is the caller's.
func (v Values) Map() map[string]string {
	values := make(map[string]string, len(v))
	for _, value := range v {
		values[value.Name] = value.Text
	}

	return values
}

// Bind returns the values of the variables in an escaped path that the template matches; nil if there are none. They are unescaped
// as by a ServeMux with UnescapingModeAllExceptReserved, with one exception: an escaped slash is not one between segments, and
// stays as it is (google/api/http.proto), in variables with "**" and, if all variables hold several segments, in the others.
func (t Template) Bind(escapedPath string) Values {
	if len(t.variables) == 0 {
		return nil
	}

	if t.verb != "" {
		escapedPath = escapedPath[:len(escapedPath)-len(":")-len(t.verb)]
	}

	skipped := 0
	if t.deep {
		skipped = strings.Count(escapedPath, "/") - len(t.segments)
	}

	values := make(Values, len(t.variables))
	rest, at := escapedPath[1:], 0

	for i, v := range t.variables {
		first, length := v.first, v.end-v.first

		switch {
		case v.deep:
			length += skipped
		case v.first >= t.gap:
			first += skipped
		}

		_, rest = cut(rest, first-at)
		values[i].Name = v.name
		values[i].Text, rest = cut(rest, length)
		at = first + length

		if strings.Contains(values[i].Text, "%") {
			values[i].Text = t.decode(v, values[i].Text, skipped)
		}
	}

	return values
}

// cut splits a path behind so many segments.
func cut(path string, segments int) (head, tail string) {
	if segments == 0 {
		return "", path
	}

	end := -1

	for range segments {
		slash := strings.IndexByte(path[end+1:], '/')
		if slash < 0 {
			return path, ""
		}

		end += 1 + slash
	}

	return path[:end], path[end+1:]
}

// decode unescapes what a variable holds, segment by segment.
func (t Template) decode(v variable, escaped string, skipped int) string {
	parts := strings.Split(escaped, "/")
	gap := t.gap - v.first

	for i, part := range parts {
		switch {
		case v.deep && gap <= i && i < gap+skipped:
			parts[i] = unescape(part, reserved)
		case t.slashes || v.deep:
			parts[i] = unescape(part, "/")
		default:
			parts[i] = unescape(part, "")
		}
	}

	return strings.Join(parts, "/")
}

// unescape replaces all escapes but those of the characters to keep. They must be well formed.
func unescape(text, keep string) string {
	const bitsOfDigit = 4

	var out strings.Builder

	out.Grow(len(text))

	for i := 0; i < len(text); i++ {
		c := text[i]

		if c == '%' {
			if plain := unhex(text[i+1])<<bitsOfDigit | unhex(text[i+2]); strings.IndexByte(keep, plain) < 0 {
				c = plain
				i += escapeLength - 1
			}
		}

		out.WriteByte(c)
	}

	return out.String()
}

func unhex(c byte) byte {
	const letters = 10

	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + letters
	default:
		return c - 'a' + letters
	}
}
