package gateway

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// ServeHTTP routes a request. It must run inside of the edge, which makes the request's record.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !utf8.ValidString(r.URL.Path) {
		problem.Write(w, r, problem.New(codes.InvalidArgument, "the path is not valid UTF-8"), nil)

		return
	}

	path := r.URL.EscapedPath()
	if found, ok := g.find(r.Method, path); ok {
		found.mux.ServeHTTP(w, routed(r, path, found.slashes))

		return
	}

	g.answerUnrouted(w, r, path)
}

var (
	escapedSlash = regexp.MustCompile(`%(2[Ff])`)
	// pattern finds a variable: its name and its segments, which are not said if it holds one.
	pattern = regexp.MustCompile(`\{([^{}=]+)(?:=([^{}]*))?\}`)
)

// keepsSlashes tells whether all variables of a template hold several segments, of a number that is known.
func keepsSlashes(template string) bool {
	variables := pattern.FindAllStringSubmatch(template, -1)

	return len(variables) > 0 && !slices.ContainsFunc(variables, func(found []string) bool {
		return !strings.Contains(found[2], "/") || strings.Contains(found[2], "**")
	})
}

// find returns the target of a path. HEAD has that of GET (RFC 9110, section 9.3.2).
func (g *Gateway) find(method, path string) (target, bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}

	tree, ok := g.trees[method]
	if !ok {
		return target{}, false
	}

	return tree.Find(path)
}

// routed is the request as the mux gets it. The mux unescapes in two ways, depending on whether RawPath is set; always set, there
// is one. In a variable of several segments an escaped slash is not one between segments, and stays as it is
// (google/api/http.proto); the mux would do so for "**" alone.
func routed(r *http.Request, escapedPath string, slashes bool) *http.Request {
	if slashes {
		escapedPath = escapedSlash.ReplaceAllString(escapedPath, "%25$1")
	}

	url := *r.URL
	url.RawPath = escapedPath

	routed := r.WithContext(r.Context())
	routed.URL = &url

	if r.Method == http.MethodHead {
		// net/http keeps the body back, by the method of the request that it read.
		routed.Method = http.MethodGet
		reqinfo.From(r.Context()).Head = true
	}

	return routed
}

// answerUnrouted answers OPTIONS (RFC 9110, section 9.3.7), methods that the path does not have, and paths that nothing has.
func (g *Gateway) answerUnrouted(w http.ResponseWriter, r *http.Request, path string) {
	methods := g.Methods(path)

	switch {
	case r.Method == http.MethodOptions && path == "*":
		w.WriteHeader(http.StatusNoContent)
	case len(methods) == 0:
		problem.Write(w, r, notFound(), nil)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", strings.Join(methods, ", "))
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", strings.Join(methods, ", "))
		problem.Write(w, r, problem.WithStatus(http.StatusMethodNotAllowed, codes.Unimplemented,
			"the path does not take "+methodName(r.Method)), nil)
	}
}

// Methods lists the methods that an escaped path has, OPTIONS among them, in alphabetical order; none if there is no such path.
func (g *Gateway) Methods(path string) []string {
	var methods []string

	for _, method := range slices.Concat(g.methods, []string{http.MethodHead}) {
		if _, ok := g.find(method, path); ok {
			methods = append(methods, method)
		}
	}

	if len(methods) == 0 {
		return nil
	}

	methods = append(methods, http.MethodOptions)
	slices.Sort(methods)

	return slices.Compact(methods)
}

// handleRoutingError answers if the tree chose a mux that does not match after all.
func handleRoutingError(
	_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, _ int,
) {
	problem.Write(w, r, notFound(), nil)
}

func notFound() *problem.Problem { return problem.New(codes.NotFound, "no route matches this path") }

// methodName keeps a made-up method from filling the answer.
func methodName(method string) string {
	const longest = 16
	if len(method) > longest {
		return "this method"
	}

	return method
}
