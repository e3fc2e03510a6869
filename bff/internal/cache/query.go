package cache

import (
	"maps"
	"net/url"
	"strings"
)

// canonicalQuery is a query that means the same, spelled in the one way that there is: without the parameters that are ignored, and
// sorted by their names. The values of one name stay in their order, which may matter. It is not ok if the query cannot be read;
// whoever answers it will say so.
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
	segments := strings.Split(u.EscapedPath(), "/")

	for i, segment := range segments {
		if plain, err := url.PathUnescape(segment); err == nil {
			segments[i] = url.PathEscape(plain)
		}
	}

	return strings.Join(segments, "/")
}
