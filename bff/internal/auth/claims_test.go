package auth_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

func TestClaimsAreMapped(t *testing.T) {
	t.Parallel()

	type object = authtest.Object

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	mapped := config.Claims{Subject: "client_id", Scopes: "permissions", Roles: "realm_access.roles", Tenant: "org.id"}

	for name, row := range map[string]struct {
		claims config.Claims
		token  object
		want   *reqinfo.Principal // Nil: refused. Issuer is left out.
	}{
		"by_default": {config.Claims{}, object{"roles": []string{"a", "b"}, "tenant": "acme", "scope": "x y"}, &reqinfo.Principal{
			Subject: "ada", Scopes: []string{"x", "y"}, Roles: []string{"a", "b"}, Tenant: "acme",
		}},
		"a_single_role": {config.Claims{}, object{"roles": "night-shift", "scope": nil}, &reqinfo.Principal{
			Subject: "ada", Roles: []string{"night-shift"},
		}},
		"mapped": {mapped, object{
			"client_id": "svc", "permissions": []string{"read"}, "realm_access": object{"roles": []string{"r"}}, "org": object{"id": "acme"},
		}, &reqinfo.Principal{Subject: "svc", Scopes: []string{"read"}, Roles: []string{"r"}, Tenant: "acme"}},
		"scopes_as_a_string": {mapped, object{"client_id": "svc", "permissions": "read write"}, &reqinfo.Principal{
			Subject: "svc", Scopes: []string{"read", "write"},
		}},
		"name_before_path": {mapped, object{
			"client_id": "svc", "realm_access.roles": "flat", "realm_access": object{"roles": "deep"},
		}, &reqinfo.Principal{Subject: "svc", Roles: []string{"flat"}}},
		"mapped_subject_missing":   {mapped, object{}, nil},
		"path_through_a_string":    {mapped, object{"client_id": "svc", "org": "acme"}, &reqinfo.Principal{Subject: "svc"}},
		"roles_with_a_number":      {config.Claims{}, object{"roles": []any{"a", 1}}, nil},
		"roles_number":             {config.Claims{}, object{"roles": 1}, nil},
		"roles_with_newline":       {config.Claims{}, object{"roles": []string{"a\nb"}}, nil},
		"tenant_number":            {config.Claims{}, object{"tenant": 7}, nil},
		"tenant_with_newline":      {config.Claims{}, object{"tenant": "a\r\nb"}, nil},
		"mapped_scopes_are_number": {mapped, object{"client_id": "svc", "permissions": 1}, nil},
	} {
		cfg := trusting(t, s)
		cfg.Claims = row.claims

		status, got := identify(t, mustNew(t, cfg), s.Token(t, nil, row.token), nil)
		if row.want == nil {
			if status != http.StatusUnauthorized {
				t.Errorf("%s: %d %+v", name, status, got)
			}

			continue
		}

		if row.want.Scopes == nil && row.token["scope"] == nil {
			got.Scopes = nil
		}

		got.Issuer = ""
		if diff := cmp.Diff(*row.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestSubjectPrefixKeepsIssuersApart(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	cfg := trusting(t, s)
	cfg.SubjectPrefix = "partner:"

	if status, got := identify(t, mustNew(t, cfg), s.Token(t, nil, nil), nil); status != http.StatusOK || got.Subject != "partner:ada" {
		t.Errorf("%d %+v", status, got)
	}
}

func TestRequiredClaims(t *testing.T) {
	t.Parallel()

	type object = authtest.Object

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	cfg := trusting(t, s)
	cfg.RequiredClaims = map[string][]string{"env": {"prod", "stage"}, "session": nil}
	a := mustNew(t, cfg)

	for name, row := range map[string]struct {
		claims object
		want   int
	}{
		"there":            {object{"env": "prod", "session": "1"}, http.StatusOK},
		"another":          {object{"env": "stage", "session": 1}, http.StatusOK},
		"in_a_list":        {object{"env": []string{"x", "prod"}, "session": true}, http.StatusOK},
		"missing":          {object{"session": "1"}, http.StatusUnauthorized},
		"any_missing":      {object{"env": "prod"}, http.StatusUnauthorized},
		"wrong":            {object{"env": "dev", "session": "1"}, http.StatusUnauthorized},
		"part":             {object{"env": "pro", "session": "1"}, http.StatusUnauthorized},
		"number":           {object{"env": 1, "session": "1"}, http.StatusUnauthorized},
		"list_of_others":   {object{"env": []string{"dev"}, "session": "1"}, http.StatusUnauthorized},
		"empty_list":       {object{"env": []string{}, "session": "1"}, http.StatusUnauthorized},
		"another_spelling": {object{"Env": "prod", "session": "1"}, http.StatusUnauthorized},
	} {
		if got, _ := identify(t, a, s.Token(t, nil, row.claims), nil); got != row.want {
			t.Errorf("%s: %d, want %d", name, got, row.want)
		}
	}
}
