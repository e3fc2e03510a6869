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

	for want, tt := range map[string]struct {
		escaped, segments string
		values            map[string]string
	}{
		"/v1/users/a:b":       {escaped: "/v1/users/a:b", segments: "/v1/users/a:b", values: map[string]string{"id": "a:b"}},
		"/v1/users/a%3Awatch": {escaped: "/v1/users/a:watch", segments: "/v1/users/a:watch", values: map[string]string{"id": "a:watch"}},
		"/v1/users/a%3Awatch?x=a:watch": {
			escaped: "/v1/users/a:watch?x=a:watch", segments: "/v1/users/a:watch?x=a:watch", values: map[string]string{"id": "a:watch"},
		},
		"/v1/users/a:watch":   {escaped: "/v1/users/a:watch", segments: "/v1/users/a:watch", values: map[string]string{"id": "a"}},
		"/v1/users/a%2Fb?x=1": {escaped: "/v1/users/a%2Fb?x=1", segments: "/v1/users/a/b?x=1", values: map[string]string{"id": "a/b"}},
		"/v1/shelves/a?x=1":   {escaped: "/v1/shelves%2Fa?x=1", segments: "/v1/shelves/a?x=1", values: map[string]string{"name": "shelves/a"}},
		"/v1/shelves/a%3Acheck": {
			escaped: "/v1/shelves%2Fa:check", segments: "/v1/shelves/a:check", values: map[string]string{"name": "shelves/a:check"},
		},
		"/v1/none/a:watch": {escaped: "/v1/none/a:watch", segments: "/v1/none/a:watch", values: map[string]string{"id": "a:watch"}},
		"/v1/users%2F%2Fa": {escaped: "/v1/users%2F%2Fa", values: map[string]string{"name": "users//a"}},
	} {
		if got := r.choose(policy.LocatedAt{Escaped: tt.escaped, Segments: tt.segments}, tt.values); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
