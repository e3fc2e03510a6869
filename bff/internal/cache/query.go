package cache

import (
	"maps"
	"net/url"
	"strings"
)

// canonicalQuery is the query in canonical form: normalized, without the parameters that are ignored, and sorted by name. The
// values of one name stay in their order, which may matter. It is not ok if the query cannot be parsed; the handler will respond
// with that.
func canonicalQuery(raw string, ignore func(name string) bool, normalize func(url.Values)) (query string, ok bool) {
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

	if normalize != nil {
		normalize(values)
	}

	return values.Encode(), true
}

// canonicalPath is the path in canonical form. A slash within a segment stays escaped.
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

// isPlain reports whether a path has only characters that are never escaped, as most do.
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
