package cache

import (
	"maps"
	"net/url"
	"strings"
)

// canonicalQuery is a query that means the same, spelled in the one way that there is: without the parameters that are ignored, and
// sorted by their names. The values of one name stay in their order, which may matter. It is not ok if the query cannot be read;
// the handler that answers it will say so.
func canonicalQuery(raw string, ignore func(name string) bool) (query string, ok bool) {
	if raw == "" {
		return "", true
	}

	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", false
	}

	if ignore != nil {
		maps.DeleteFunc(values, func(name string, _ []string) bool { return ignore(name) })
	}

	return values.Encode(), true
}

// canonicalPath is the path, escaped in the one way that there is. A slash within a segment stays escaped.
func canonicalPath(u *url.URL) string {
	escaped := u.EscapedPath()
	if isPlain(escaped) {
		return escaped
	}

	segments := strings.Split(escaped, "/")

	for i, segment := range segments {
		if plain, err := url.PathUnescape(segment); err == nil {
			segments[i] = url.PathEscape(plain)
		}
	}

	return strings.Join(segments, "/")
}

// isPlain reports whether nothing in a path is ever escaped, which is so for most paths.
func isPlain(path string) bool {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '/', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}

	return true
}
