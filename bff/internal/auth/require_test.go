package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func compile(t *testing.T, expression string) *condition.Condition {
	t.Helper()

	c, err := condition.Compile(expression, (&orderv1.CreateOrderRequest{}).ProtoReflect().Descriptor(), []string{"user_id"})
	if err != nil {
		t.Fatal(err)
	}

	return c
}

func TestRequire(t *testing.T) {
	t.Parallel()

	owner := demands{Owner: &porticov1.Owner{Variable: "user_id"}}
	ownerUnless := demands{Owner: &porticov1.Owner{Variable: "user_id", UnlessScope: "users:admin"}}
	ownerAndScope := demands{AnyOf: []string{"a"}, Owner: owner.Owner}
	ada := func(scopes ...string) reqinfo.Principal {
		return reqinfo.Principal{Subject: "ada", Issuer: authtest.Issuer, Scopes: scopes}
	}
	withRoles := func(roles ...string) reqinfo.Principal { return reqinfo.Principal{Subject: "ada", Roles: roles} }
	self, later := compile(t, "principal.subject == path.user_id"), compile(t, "request.user_id == principal.subject")
	nobody := reqinfo.Principal{}
	noSubject := reqinfo.Principal{Issuer: authtest.Issuer, Scopes: []string{"a"}}
	lacks := func(scopes string) string { return `Bearer error="insufficient_scope", scope="` + scopes + `"` }

	const (
		ok    = http.StatusNoContent
		who   = http.StatusUnauthorized
		never = http.StatusForbidden
	)

	tests := []struct {
		name      string
		access    demands
		principal reqinfo.Principal
		path      pathtemplate.Values
		status    int
		challenge string
	}{
		{"zero_access_is_not_public", demands{}, nobody, nil, who, "Bearer"},
		{"authenticated", demands{}, ada(), nil, ok, ""},
		{"issuer_without_subject", demands{}, noSubject, nil, who, "Bearer"},
		{"anonymous_with_scopes_needed", demands{AnyOf: []string{"a"}}, nobody, nil, who, "Bearer"},
		{"any_of_first", demands{AnyOf: []string{"a", "b"}}, ada("a"), nil, ok, ""},
		{"any_of_last", demands{AnyOf: []string{"a", "b"}}, ada("x", "b"), nil, ok, ""},
		{"any_of_none", demands{AnyOf: []string{"a", "b"}}, ada("c"), nil, never, lacks("a b")},
		{"all_of", demands{AllOf: []string{"a", "b"}}, ada("b", "a"), nil, ok, ""},
		{"all_of_in_part", demands{AllOf: []string{"a", "b"}}, ada("a"), nil, never, lacks("a b")},
		{"all_of_and_any_of", demands{AllOf: []string{"a"}, AnyOf: []string{"b", "c"}}, ada("a"), nil, never, lacks("a b c")},
		{"scope_is_not_a_prefix", demands{AnyOf: []string{"a:b"}}, ada("a", "a:bc"), nil, never, lacks("a:b")},
		{"owner", owner, ada(), userID("ada"), ok, ""},
		{"owner_is_another", owner, ada(), userID("bob"), never, ""},
		{"owner_in_other_case", owner, ada(), userID("Ada"), never, ""},
		{"owner_by_another_variable", owner, ada(), pathtemplate.Values{{Name: "order_id", Text: "ada"}}, never, ""},
		{"owner_without_path", owner, ada(), nil, never, ""},
		{"owner_with_empty_variable", owner, ada(), userID(""), never, ""},
		{"owner_nobody_is_nobody", owner, nobody, userID(""), who, "Bearer"},
		{"owner_nobody_without_path", owner, nobody, nil, who, "Bearer"},
		{"owner_with_no_exception", owner, ada(""), userID("bob"), never, ""},
		{"owner_unless_scope", ownerUnless, ada("users:admin"), userID("bob"), ok, ""},
		{"owner_unless_scope_without_path", ownerUnless, ada("users:admin"), nil, ok, ""},
		{"owner_without_unless_scope", ownerUnless, ada("users:read"), userID("bob"), never, ""},
		{"owner_without_scope", ownerAndScope, ada(), userID("ada"), never, lacks("a")},
		{"any_role", demands{AnyRole: []string{"a", "b"}}, withRoles("b"), nil, ok, ""},
		{"any_role_of_none", demands{AnyRole: []string{"a", "b"}}, withRoles("c", "ab"), nil, never, ""},
		{"all_roles", demands{AllRoles: []string{"a", "b"}}, withRoles("b", "a"), nil, ok, ""},
		{"all_roles_in_part", demands{AllRoles: []string{"a", "b"}}, withRoles("a"), nil, never, ""},
		{"a_scope_is_no_role", demands{AnyRole: []string{"a"}}, ada("a"), nil, never, ""},
		{"a_role_is_no_scope", demands{AnyOf: []string{"a"}}, withRoles("a"), nil, never, lacks("a")},
		{"anonymous_with_role_needed", demands{AnyRole: []string{"a"}}, nobody, nil, who, "Bearer"},
		{"condition", demands{Condition: self}, ada(), userID("ada"), ok, ""},
		{"condition_is_false", demands{Condition: self}, ada(), userID("bob"), never, ""},
		{"condition_without_path", demands{Condition: self}, ada(), nil, never, ""},
		{"condition_of_nobody", demands{Condition: self}, nobody, userID(""), who, "Bearer"},
		{"public_condition", demands{Public: true, Condition: self}, nobody, userID(""), ok, ""},
		{"public_condition_is_false", demands{Public: true, Condition: self}, nobody, userID("a"), never, ""},
		{"condition_on_the_request_is_for_later", demands{Condition: later}, ada(), nil, ok, ""},
		{"scope_without_owner", ownerAndScope, ada("a"), userID("bob"), never, ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			h := require(tt.access)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(ok) }))
			rec := &reqinfo.Record{Principal: tt.principal, PathParams: tt.path}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", nil))

			if w.Code != tt.status || w.Header().Get("WWW-Authenticate") != tt.challenge {
				t.Errorf("status %d, WWW-Authenticate %q", w.Code, w.Header().Get("WWW-Authenticate"))
			}
		})
	}
}

func TestRequireWithoutARecordFailsClosed(t *testing.T) {
	t.Parallel()

	h := require(demands{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))

	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}

func TestRequireTellsTheOwnerAndTheLog(t *testing.T) {
	t.Parallel()

	h := require(demands{Owner: &porticov1.Owner{Variable: "user_id"}})(http.NotFoundHandler())
	rec := &reqinfo.Record{Principal: reqinfo.Principal{Subject: "ada"}, PathParams: userID("bob")}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", nil))

	if body := w.Body.String(); !strings.Contains(body, `"detail":"the caller may not act for this user"`) {
		t.Errorf("body = %s", body)
	}

	if _, cause := rec.Outcome(); cause == nil || !strings.Contains(cause.Error(), `"ada"`) {
		t.Errorf("cause = %v", cause)
	}
}

func TestPublicAccessAddsNoLayer(t *testing.T) {
	t.Parallel()

	next := &struct{ http.Handler }{}
	if got := require(demands{Public: true})(next); got != next {
		t.Error("Require adds a layer")
	}
}

// demands are an access policy, on one line.
type demands struct {
	Public                          bool
	AnyOf, AllOf, AnyRole, AllRoles []string
	Owner                           *porticov1.Owner
	Condition                       *condition.Condition
}

func require(d demands) func(http.Handler) http.Handler {
	access := &porticov1.Access{Public: d.Public, Authenticated: !d.Public, Owner: d.Owner}
	if len(d.AnyOf)+len(d.AllOf) > 0 {
		access.Scopes = &porticov1.Scopes{AnyOf: d.AnyOf, AllOf: d.AllOf}
	}

	if len(d.AnyRole)+len(d.AllRoles) > 0 {
		access.Roles = &porticov1.Roles{AnyOf: d.AnyRole, AllOf: d.AllRoles}
	}

	return auth.Require(access, d.Condition)
}

func userID(id string) pathtemplate.Values { return pathtemplate.Values{{Name: "user_id", Text: id}} }
