package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// maxParameters is how many query parameters a request may have, since each takes many times its size in memory.
const maxParameters = 1000

// ServeHTTP routes a request. It must run inside of the edge, which makes the request's record.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !utf8.ValidString(r.URL.Path) {
		problem.Write(w, r, invalidf("the path is not valid UTF-8"), nil)
		return
	}

	if strings.Count(r.URL.RawQuery, "&") >= maxParameters {
		problem.Write(w, r, invalidf("the query has more than %d parameters", maxParameters), nil)
		return
	}

	path := r.URL.EscapedPath()

	found, ok := g.find(r.Method, path)
	if !ok {
		g.serveUnrouted(w, r, path)
		return
	}

	if r.Method == http.MethodHead {
		r = asHead(r, found.method)
	}

	found.handler(w, r, found.template.Bind(path))
}

// find returns the target of a path. HEAD has that of GET (RFC 9110, section 9.3.2), unless it has a route of its own.
func (g *Gateway) find(method, path string) (*target, bool) {
	if tree, ok := g.trees[method]; ok {
		if found, ok := tree.Find(path); ok {
			return found, true
		}
	}

	if method == http.MethodHead {
		return g.find(http.MethodGet, path)
	}

	return nil, false
}

// asHead returns a HEAD request with the method of its route. net/http leaves out the body, by the method of the request that it
// read.
func asHead(r *http.Request, method string) *http.Request {
	reqinfo.From(r.Context()).Head = true

	routed := r.WithContext(r.Context())
	routed.Method = method

	return routed
}

// serveUnrouted serves OPTIONS (RFC 9110, section 9.3.7), and refuses other methods and paths without a route.
func (g *Gateway) serveUnrouted(w http.ResponseWriter, r *http.Request, path string) {
	methods := g.Methods(path)

	switch {
	case r.Method == http.MethodOptions && path == "*":
		w.WriteHeader(http.StatusNoContent)
	case len(methods) == 0:
		problem.Write(w, r, notFound(path), nil)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", strings.Join(methods, ", "))
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", strings.Join(methods, ", "))
		problem.Write(w, r, problem.WithStatus(http.StatusMethodNotAllowed, codes.Unimplemented,
			"the path does not allow "+methodName(r.Method)).Because(reqinfo.ReasonMethod), nil)
	}
}

// Methods lists the methods of an escaped path, including OPTIONS, in alphabetical order; none if no route matches.
func (g *Gateway) Methods(path string) []string {
	methods := slices.DeleteFunc(slices.Concat(g.methods, []string{http.MethodHead}), func(method string) bool {
		_, ok := g.find(method, path)
		return !ok
	})
	if len(methods) == 0 {
		return nil
	}

	methods = append(methods, http.MethodOptions)
	slices.Sort(methods)

	return slices.Compact(methods)
}

// patterned is a context in which runtime.HTTPPattern finds the pattern of a route.
type patterned struct {
	context.Context //nolint:containedctx // It is a context itself.

	// pattern has nothing else.
	pattern context.Context //nolint:containedctx // The key is grpc-gateway's, which only a ServeMux can set.
}

func (c patterned) Value(key any) any {
	if value := c.Context.Value(key); value != nil {
		return value
	}

	return c.pattern.Value(key)
}

// showPattern lets an embedding program's middlewares and annotators find the route's pattern, which a ServeMux with only this
// route provides.
func (r *Route) showPattern() error {
	var pattern context.Context

	mux, path := runtime.NewServeMux(), r.Template.Example()

	err := mux.HandlePath(r.Method, r.Template.String(), func(_ http.ResponseWriter, req *http.Request, _ map[string]string) {
		pattern = req.Context() //nolint:fatcontext // There is one request.
	})
	if err != nil {
		return fmt.Errorf("grpc-gateway: %w", err)
	}

	mux.ServeHTTP(response.Record(nil, 0), &http.Request{Method: r.Method, URL: &url.URL{Path: path}})

	if pattern == nil {
		return fmt.Errorf("grpc-gateway does not find %s", path)
	}

	next := r.handler
	r.handler = func(w http.ResponseWriter, req *http.Request, params map[string]string) {
		if params == nil {
			// A middleware may write to it.
			params = map[string]string{}
		}

		next(w, req.WithContext(patterned{req.Context(), pattern}), params)
	}

	return nil
}

// notFound says more if the client has probably left out the value of a variable.
func notFound(path string) *problem.Problem {
	detail := "no route matches this path"
	if path != "/" && (strings.Contains(path, "//") || strings.HasSuffix(path, "/")) {
		detail += ", in which a segment is empty"
	}

	return problem.New(codes.NotFound, detail).Because(reqinfo.ReasonNoRoute)
}

func invalidf(format string, args ...any) *problem.Problem {
	return problem.Newf(codes.InvalidArgument, format, args...).Because(reqinfo.ReasonInvalidRequest)
}

// methodName does not repeat a method that is too long to be one.
func methodName(method string) string {
	const longest = 16
	if len(method) > longest {
		return "this method"
	}

	return method
}
