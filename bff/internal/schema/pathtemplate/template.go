// Package pathtemplate understands the path templates of google.api.http, "/v1/users/{user_id}:lock": it parses them, says which
// paths they match and how the paths of two of them relate, finds the one of many that a path is for, and returns the values of the
// variables from the path.
//
// It reads templates as grpc-gateway's ServeMux does, on which generated handlers expect to be, but refuses some that the mux
// accepts and understands otherwise than their author. Unlike there, "*" is never an empty segment, "**" that matches no segment
// adds none to its variable, and an escaped slash stays escaped in every variable of several segments that can have one. It knows
// nothing of methods and handlers.
package pathtemplate

import "strings"

// Template is a parsed path template. The zero value matches nothing.
type Template struct {
	text      string
	variables []variable
	// segments are all but "**", with those inside of variables.
	segments []segment
	// deep reports that there is a "**"; it is before segments[gap].
	deep bool
	gap  int
	verb string
	// ending is the verb of every path that the template matches: its own, or what follows the first colon of a last segment that
	// is a literal. "/v1/a:v" and "/v1/{x=a:v}" match the same path.
	ending string
	// slashes stay escaped in the values of the variables.
	slashes bool
}

// String returns the template as it was written.
func (t Template) String() string { return t.text }

// Variables returns the field paths of the variables, in order.
func (t Template) Variables() []string {
	names := make([]string, 0, len(t.variables))
	for _, v := range t.variables {
		names = append(names, v.name)
	}

	return names
}

// Verb returns what follows the last segment's colon, "cancel" in "/v1/orders/{order_id}:cancel". Empty: the template has none.
func (t Template) Verb() string { return t.verb }

// VerbDecides reports whether one of two templates wins on all the paths that both match because it has a verb, or a longer one.
func (t Template) VerbDecides(other Template) bool { return len(t.ending) != len(other.ending) }

// Match reports whether the template matches a path as it is in the request line, still escaped. Segments are separated by "/",
// never by "%2F". "*" is exactly one segment, which is not empty; "**" is any number of segments, of which any may be empty. A path
// with a malformed escape is not matched.
func (t Template) Match(escapedPath string) bool {
	rest, absolute := strings.CutPrefix(escapedPath, "/")
	length := strings.Count(escapedPath, "/")

	if !absolute || !t.fits(length) {
		return false
	}

	for i := range length {
		var part string

		part, rest, _ = strings.Cut(rest, "/")
		if !t.at(i, length).holds(part) {
			return false
		}
	}

	return true
}

// Example returns a path that the template matches.
func (t Template) Example() string {
	length := len(t.segments)
	if t.deep {
		length++
	}

	return t.sample(length, "x")
}

// fits reports whether the template matches any path of so many segments.
func (t Template) fits(length int) bool {
	if t.deep {
		return length >= len(t.segments)
	}

	return length == len(t.segments)
}

// at is what the template requires of the i-th segment of a path of so many: since there is at most one "**", each segment of the
// path falls to one of the template or to the "**". The length must fit.
func (t Template) at(i, length int) segment {
	want := segment{wild: true, empty: true}

	skipped := length - len(t.segments)

	switch {
	case i < t.gap:
		want = t.segments[i]
	case i >= t.gap+skipped:
		want = t.segments[i-skipped]
	}

	// The mux cuts the verb off the path's last segment, whatever it falls to: "/v1/**:list" matches "/v1:list".
	if i == length-1 && t.verb != "" {
		want.text += ":" + t.verb
		want.empty = false
	}

	return want
}
