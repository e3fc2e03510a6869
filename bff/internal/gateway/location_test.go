package gateway

import (
	"net/http"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// Once, a value with a colon led to the route of a verb, and a query hid the route that says what a slash in a value is.
func TestLocationLeadsToTheRouteOfTheValues(t *testing.T) {
	t.Parallel()

	g := &Gateway{trees: map[string]*pathtemplate.Tree[*target]{}}

	for _, text := range []string{"/v1/users/{id}", "/v1/users/{id}:watch", "/v1/{name=shelves/*}", "/v1/{name=shelves/*}:check"} {
		template, err := pathtemplate.Parse(text)
		if err != nil {
			t.Fatal(err)
		}

		g.add(&Route{Endpoint: policy.Endpoint{Route: schema.Route{Method: http.MethodGet, Template: template}}}, nil)
	}

	r := Route{located: g.located}

	for want, at := range map[string]policy.LocatedAt{
		"/v1/users/a:b":       {Escaped: "/v1/users/a:b", Segments: "/v1/users/a:b", Values: map[string]string{"id": "a:b"}},
		"/v1/users/a%3Awatch": {Escaped: "/v1/users/a:watch", Segments: "/v1/users/a:watch", Values: map[string]string{"id": "a:watch"}},
		"/v1/users/a%3Awatch?x=a:watch": {
			Escaped: "/v1/users/a:watch?x=a:watch", Segments: "/v1/users/a:watch?x=a:watch", Values: map[string]string{"id": "a:watch"},
		},
		"/v1/users/a:watch":   {Escaped: "/v1/users/a:watch", Segments: "/v1/users/a:watch", Values: map[string]string{"id": "a"}},
		"/v1/users/a%2Fb?x=1": {Escaped: "/v1/users/a%2Fb?x=1", Segments: "/v1/users/a/b?x=1", Values: map[string]string{"id": "a/b"}},
		"/v1/shelves/a?x=1":   {Escaped: "/v1/shelves%2Fa?x=1", Segments: "/v1/shelves/a?x=1", Values: map[string]string{"name": "shelves/a"}},
		"/v1/shelves/a%3Acheck": {
			Escaped: "/v1/shelves%2Fa:check", Segments: "/v1/shelves/a:check", Values: map[string]string{"name": "shelves/a:check"},
		},
		"/v1/none/a:watch": {Escaped: "/v1/none/a:watch", Segments: "/v1/none/a:watch", Values: map[string]string{"id": "a:watch"}},
		"/v1/users%2F%2Fa": {Escaped: "/v1/users%2F%2Fa", Values: map[string]string{"name": "users//a"}},
	} {
		if got := r.choose(at); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
