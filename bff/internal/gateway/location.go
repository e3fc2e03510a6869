package gateway

import (
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// located returns the path variables of the GET route that matches a path; not ok if there is none.
func (g *Gateway) located(path string) (variables pathtemplate.Values, ok bool) {
	found, ok := g.find(http.MethodGet, path)
	if !ok {
		return nil, false
	}

	return found.template.Bind(path), true
}

// locate sets the header Location, if the route has one. If the values make no path, that is put on the request's record.
//
// A slash in a value may be one between segments, as in resource names, or part of an identifier. The path is the one from which a
// GET route gets the value in the variable of the same name, or else the one that any GET route matches.
func (x *exchange) locate(message protoreflect.Message) {
	location := x.route.Policy.Location
	if location == nil {
		return
	}

	read, err := passthrough.Read(message, location.Fields())
	if err != nil {
		// Writing the message says what is wrong with it.
		return
	}

	at, err := location.At(read)
	if err != nil {
		reqinfo.From(x.request.Context()).DropHeader("location")
		return
	}

	path := at.Escaped
	if at.IsAmbiguous() {
		path = x.route.choose(at, location.Values(read))
	}

	x.w.Header()["Location"] = []string{path}
}

// choose returns the one of the paths that leads to these values. A colon in a value is escaped if it would begin a verb.
func (r *Route) choose(at policy.LocatedAt, values map[string]string) string {
	for _, located := range []string{at.Escaped, at.Segments} {
		path, rest := located, ""
		if i := strings.IndexAny(located, "?#"); i >= 0 {
			path, rest = located[:i], located[i:]
		}

		for _, spelling := range []string{path, strings.ReplaceAll(path, ":", "%3A")} {
			if variables, ok := r.located(spelling); ok && holds(variables, values) {
				return spelling + rest
			}
		}
	}

	path, _, _ := strings.Cut(at.Escaped, "?")
	if _, ok := r.located(path); ok || at.Segments == "" {
		return at.Escaped
	}

	return at.Segments
}

// holds reports whether the path variables have these values.
func holds(variables pathtemplate.Values, values map[string]string) bool {
	for name, value := range values {
		if !slices.Contains(variables, pathtemplate.Value{Name: name, Text: value}) {
			return false
		}
	}

	return true
}
