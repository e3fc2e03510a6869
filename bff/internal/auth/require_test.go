package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
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

	owner := policy.Access{Owner: &policy.Owner{Variable: "user_id"}}
	ownerUnless := policy.Access{Owner: &policy.Owner{Variable: "user_id", UnlessScope: "users:admin"}}
	ownerAndScope := policy.Access{AnyOf: []string{"a"}, Owner: owner.Owner}
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
		access    policy.Access
		principal reqinfo.Principal
		path      map[string]string
		status    int
		challenge string
	}{
		{"zero_access_is_not_public", policy.Access{}, nobody, nil, who, "Bearer"},
		{"authenticated", policy.Access{}, ada(), nil, ok, ""},
		{"issuer_without_subject", policy.Access{}, noSubject, nil, who, "Bearer"},
		{"anonymous_with_scopes_needed", policy.Access{AnyOf: []string{"a"}}, nobody, nil, who, "Bearer"},
		{"any_of_first", policy.Access{AnyOf: []string{"a", "b"}}, ada("a"), nil, ok, ""},
		{"any_of_last", policy.Access{AnyOf: []string{"a", "b"}}, ada("x", "b"), nil, ok, ""},
		{"any_of_none", policy.Access{AnyOf: []string{"a", "b"}}, ada("c"), nil, never, lacks("a b")},
		{"all_of", policy.Access{AllOf: []string{"a", "b"}}, ada("b", "a"), nil, ok, ""},
		{"all_of_in_part", policy.Access{AllOf: []string{"a", "b"}}, ada("a"), nil, never, lacks("a b")},
		{"all_of_and_any_of", policy.Access{AllOf: []string{"a"}, AnyOf: []string{"b", "c"}}, ada("a"), nil, never, lacks("a b c")},
		{"scope_is_not_a_prefix", policy.Access{AnyOf: []string{"a:b"}}, ada("a", "a:bc"), nil, never, lacks("a:b")},
		{"owner", owner, ada(), map[string]string{"user_id": "ada"}, ok, ""},
		{"owner_is_another", owner, ada(), map[string]string{"user_id": "bob"}, never, ""},
		{"owner_in_other_case", owner, ada(), map[string]string{"user_id": "Ada"}, never, ""},
		{"owner_by_another_variable", owner, ada(), map[string]string{"order_id": "ada"}, never, ""},
		{"owner_without_path", owner, ada(), nil, never, ""},
		{"owner_with_empty_variable", owner, ada(), map[string]string{"user_id": ""}, never, ""},
		{"owner_nobody_is_nobody", owner, nobody, map[string]string{"user_id": ""}, who, "Bearer"},
		{"owner_nobody_without_path", owner, nobody, nil, who, "Bearer"},
		{"owner_with_no_exception", owner, ada(""), map[string]string{"user_id": "bob"}, never, ""},
		{"owner_unless_scope", ownerUnless, ada("users:admin"), map[string]string{"user_id": "bob"}, ok, ""},
		{"owner_unless_scope_without_path", ownerUnless, ada("users:admin"), nil, ok, ""},
		{"owner_without_unless_scope", ownerUnless, ada("users:read"), map[string]string{"user_id": "bob"}, never, ""},
		{"owner_without_scope", ownerAndScope, ada(), map[string]string{"user_id": "ada"}, never, lacks("a")},
		{"any_role", policy.Access{AnyRole: []string{"a", "b"}}, withRoles("b"), nil, ok, ""},
		{"any_role_of_none", policy.Access{AnyRole: []string{"a", "b"}}, withRoles("c", "ab"), nil, never, ""},
		{"all_roles", policy.Access{AllRoles: []string{"a", "b"}}, withRoles("b", "a"), nil, ok, ""},
		{"all_roles_in_part", policy.Access{AllRoles: []string{"a", "b"}}, withRoles("a"), nil, never, ""},
		{"a_scope_is_no_role", policy.Access{AnyRole: []string{"a"}}, ada("a"), nil, never, ""},
		{"a_role_is_no_scope", policy.Access{AnyOf: []string{"a"}}, withRoles("a"), nil, never, lacks("a")},
		{"anonymous_with_role_needed", policy.Access{AnyRole: []string{"a"}}, nobody, nil, who, "Bearer"},
		{"condition", policy.Access{Condition: self}, ada(), map[string]string{"user_id": "ada"}, ok, ""},
		{"condition_is_false", policy.Access{Condition: self}, ada(), map[string]string{"user_id": "bob"}, never, ""},
		{"condition_without_path", policy.Access{Condition: self}, ada(), nil, never, ""},
		{"condition_of_nobody", policy.Access{Condition: self}, nobody, map[string]string{"user_id": ""}, who, "Bearer"},
		{"public_condition", policy.Access{Public: true, Condition: self}, nobody, map[string]string{"user_id": ""}, ok, ""},
		{"public_condition_is_false", policy.Access{Public: true, Condition: self}, nobody, map[string]string{"user_id": "a"}, never, ""},
		{"condition_on_the_request_is_for_later", policy.Access{Condition: later}, ada(), nil, ok, ""},
		{"scope_without_owner", ownerAndScope, ada("a"), map[string]string{"user_id": "bob"}, never, ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			h := auth.Require(tt.access)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(ok) }))
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

	h := auth.Require(policy.Access{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))

	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}

func TestRequireTellsTheOwnerAndTheLog(t *testing.T) {
	t.Parallel()

	h := auth.Require(policy.Access{Owner: &policy.Owner{Variable: "user_id"}})(http.NotFoundHandler())
	rec := &reqinfo.Record{Principal: reqinfo.Principal{Subject: "ada"}, PathParams: map[string]string{"user_id": "bob"}}
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
	if got := auth.Require(policy.Access{Public: true})(next); got != next {
		t.Error("Require adds a layer")
	}
}
