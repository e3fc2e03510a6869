package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

func routeOf(tb testing.TB, method, path string) *Route {
	tb.Helper()

	template, err := pathtemplate.Parse(path)
	if err != nil {
		tb.Fatal(err)
	}

	return &Route{Endpoint: policy.Endpoint{Route: schema.Route{Method: method, Template: template}}}
}

// Once, a ServeMux called the handlers and left the pattern in the context, where middlewares of an embedding program look for it.
func TestPatternIsShown(t *testing.T) {
	t.Parallel()

	for path, want := range map[string]string{
		"/v1/users":                       "/v1/users",
		"/v1/users/{id}:lock":             "/v1/users/{id=*}:lock",
		"/v1/{name=shelves/*}/{rest=**}":  "/v1/{name=shelves/*}/{rest=**}",
		"/v1/{path=**}:list":              "/v1/{path=**}:list",
		"/**":                             "/**",
		"/":                               "/",
		"/v1/*/{a.b}/**/raw/{c=x/*}:v:w":  "/v1/*/{a.b=*}/**/raw/{c=x/*}:v:w",
		"/v1/{name=projects/**/last}:get": "/v1/{name=projects/**/last}:get",
	} {
		var got string

		r := routeOf(t, http.MethodGet, path)
		r.handler = func(_ http.ResponseWriter, req *http.Request, params map[string]string) {
			pattern, _ := runtime.HTTPPattern(req.Context())
			got = pattern.String()
			// Written to by a middleware.
			params["more"] = reqinfo.From(req.Context()).ID
		}

		if err := r.showPattern(); err != nil {
			t.Fatalf("%s: %v", path, err)
		}

		rec := &reqinfo.Record{ID: "r1"}

		var params map[string]string
		if variables := r.Template.Bind(r.Template.Example()); len(variables) > 0 {
			params = variables.Map()
		}

		r.handler(nil, httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", nil), params)

		if got != want || params != nil && params["more"] != "r1" {
			t.Errorf("%s: pattern %q, variables %q", path, got, params)
		}
	}
}

// The route of a request does not cost more if there are many.
func BenchmarkServeHTTP(b *testing.B) {
	for _, routes := range []int{10, 200, 2000} {
		g := &Gateway{trees: map[string]*pathtemplate.Tree[*target]{}}
		handler := func(http.ResponseWriter, *http.Request, pathtemplate.Values) {}

		for i := range routes {
			kinds := []string{"/v1/svc%d/things", "/v1/svc%d/things/{id}", "/v1/svc%d/things/{id}:cancel", "/v1/svc%d/things/{id}/parts/{part}"}
			g.add(routeOf(b, http.MethodGet, fmt.Sprintf(kinds[i%len(kinds)], i/len(kinds))), handler)
		}

		for name, path := range map[string]string{
			"literal": "things", "variable": "things/t-17", "verb": "things/t-17:cancel", "nested": "things/t-17/parts/p-4",
		} {
			path = fmt.Sprintf("/v1/svc%d/%s", routes/8, path)
			r := httptest.NewRequestWithContext(reqinfo.NewContext(b.Context(), &reqinfo.Record{}), http.MethodGet, path, nil)
			w := httptest.NewRecorder()

			b.Run(fmt.Sprintf("%d/%s", routes, name), func(b *testing.B) {
				b.ReportAllocs()

				for b.Loop() {
					g.ServeHTTP(w, r)
				}
			})

			if w.Body.Len() > 0 {
				b.Errorf("%s: %s", path, w.Body)
			}
		}
	}
}
