package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

func TestValidTokenOfEachAlgorithm(t *testing.T) {
	t.Parallel()

	want := reqinfo.Principal{Subject: "ada", Issuer: authtest.Issuer, Scopes: []string{"orders:read", "orders:write"}}

	for _, alg := range []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()

			s := authtest.NewSigner(t, alg, authtest.KeyID)
			url := start(t, mustNew(t, trusting(t, s)))

			if diff := cmp.Diff(want, call(t, url, "Bearer "+s.Token(t, nil, nil)).principal(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoCredentialsIsAnonymous(t *testing.T) {
	t.Parallel()

	url := start(t, mustNew(t, trusting(t, authtest.NewSigner(t, "EdDSA", authtest.KeyID))))
	if got := call(t, url).principal(t); !got.Anonymous() {
		t.Errorf("principal = %+v", got)
	}
}

func TestUnusualButValid(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	url := start(t, mustNew(t, trusting(t, s)))
	now := time.Now()

	tests := []struct {
		name   string
		scheme string
		header map[string]any
		claims map[string]any
	}{
		{"lower_case_scheme", "bearer ", nil, nil},
		{"upper_case_scheme", "BEARER ", nil, nil},
		{"several_spaces", "Bearer   ", nil, nil},
		{"no_key_id_and_one_key", "Bearer ", map[string]any{"kid": nil}, nil},
		{"other_places_of_keys_are_not_looked_at", "Bearer ", map[string]any{
			"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/cert", "x5c": []string{"AAAA"}, "jwk": map[string]any{},
		}, nil},
		{"expired_within_leeway", "Bearer ", nil, map[string]any{"exp": now.Add(-20 * time.Second).Unix()}},
		{"not_yet_valid_within_leeway", "Bearer ", nil, map[string]any{"nbf": now.Add(20 * time.Second).Unix()}},
		{"issued_in_the_future_within_leeway", "Bearer ", nil, map[string]any{"iat": now.Add(20 * time.Second).Unix()}},
		{"fraction_of_a_second", "Bearer ", nil, map[string]any{"exp": float64(now.Add(time.Hour).Unix()) + 0.5}},
		{"several_audiences", "Bearer ", nil, map[string]any{"aud": []string{"other", authtest.Audience}}},
		{"subject_with_url_characters", "Bearer ", nil, map[string]any{"sub": "auth0|5f7c/ada@example.com, Jr"}},
		{"longest_subject", "Bearer ", nil, map[string]any{"sub": strings.Repeat("s", 255)}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := call(t, url, tt.scheme+s.Token(t, tt.header, tt.claims)); got.status != http.StatusOK {
				t.Errorf("answer = %+v", got)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	url := start(t, mustNew(t, trusting(t, s)))

	tests := []struct {
		name   string
		claims map[string]any
		want   []string
	}{
		{"none", map[string]any{"scope": nil}, nil},
		{"empty", map[string]any{"scope": ""}, nil},
		{"spaces", map[string]any{"scope": " a  b "}, []string{"a", "b"}},
		{"scp_string", map[string]any{"scope": nil, "scp": "a b"}, []string{"a", "b"}},
		{"scp_array", map[string]any{"scope": nil, "scp": []string{"a", "b"}}, []string{"a", "b"}},
		{"scope_wins", map[string]any{"scope": "a", "scp": []string{"b"}}, []string{"a"}},
		{"case_of_the_name_matters", map[string]any{"scope": nil, "SCOPE": "a", "Scp": "b"}, nil},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got := call(t, url, "Bearer "+s.Token(t, nil, tt.claims)).principal(t).Scopes
			if len(got) == 0 {
				got = nil
			}

			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEachIssuerHasItsOwnKeys(t *testing.T) {
	t.Parallel()

	one, two := authtest.NewSigner(t, "EdDSA", authtest.KeyID), authtest.NewSigner(t, "ES256", authtest.KeyID)
	other := config.Issuer{
		Issuer: "https://other.example", Audiences: []string{"elsewhere"}, JWKSFile: keyFile(t, authtest.KeySet(t, two)),
		Algorithms: []string{"ES256"},
	}
	url := start(t, mustNew(t, trusting(t, one), other))
	name := map[string]any{"iss": other.Issuer, "aud": "elsewhere"}

	if got := call(t, url, "Bearer "+two.Token(t, nil, name)).principal(t); got.Issuer != other.Issuer {
		t.Errorf("principal = %+v", got)
	}

	for what, token := range map[string]string{
		"key of the first for the other":      one.Token(t, nil, name),
		"key of the other for the first":      two.Token(t, nil, nil),
		"audience of the first for the other": two.Token(t, nil, map[string]any{"iss": other.Issuer}),
	} {
		if got := call(t, url, "Bearer "+token); got.status != http.StatusUnauthorized {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

func TestCauseIsForTheLogAlone(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	h := mustNew(t, trusting(t, s)).Identify(nil)(http.NotFoundHandler())
	rec := &reqinfo.Record{}
	r := httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+s.Token(t, nil, map[string]any{"aud": "somebody-else"}))

	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	if _, cause := rec.Outcome(); cause == nil || !strings.Contains(cause.Error(), "audience") {
		t.Errorf("cause = %v", cause)
	}

	if body := w.Body.String(); strings.Contains(body, "aud") || !strings.Contains(body, "the access token is not valid") {
		t.Errorf("body = %s", body)
	}

	if !rec.Principal.Anonymous() {
		t.Errorf("principal = %+v", rec.Principal)
	}
}
