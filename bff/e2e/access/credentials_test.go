package access_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// A machine shows its key, and a file says whom it stands for.
func TestAPIKeyStandsForItsPrincipal(t *testing.T) {
	t.Parallel()

	key, id := apikey.New()
	expired, expiredID := apikey.New()
	entry := `  - {id: %s, sha256: %s, subject: alice, scopes: [orders:read], expires: %s}` + "\n"
	file := filepath.Join(t.TempDir(), "keys.yaml")

	text := "keys:\n" + fmt.Sprintf(entry, id, apikey.Hash(key), "2100-01-01T00:00:00Z") +
		fmt.Sprintf(entry, expiredID, apikey.Hash(expired), "2020-01-01T00:00:00Z")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	s := gatewaytest.Start(t, func(c *config.Config) { c.Auth.APIKeys = config.APIKeys{File: file, Header: "X-Machine"} })

	if res := s.Do(t, http.MethodGet, "/v1/users/alice", http.Header{"X-Machine": {key}}, ""); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	for _, c := range s.TakeCalls() {
		checkMetadata(t, c)
	}

	both := s.As(t, "alice")
	both.Set("X-Machine", key)

	for name, header := range map[string]http.Header{
		"expired":      {"X-Machine": {expired}},
		"one_byte_off": {"X-Machine": {key[:len(key)-1] + "0"}},
		"twice":        {"X-Machine": {key, key}},
		"empty":        {"X-Machine": {""}},
		"as_a_token":   {"Authorization": {"Bearer " + key}},
		"with_a_token": both,
	} {
		res := s.Do(t, http.MethodGet, "/v1/users/alice", header, "")
		if res.Status != http.StatusUnauthorized || res.Header.Get("Www-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("%s: %d %q", name, res.Status, res.Header.Get("Www-Authenticate"))
		}

		res.Problem(t)
	}

	if res := s.Do(t, http.MethodGet, "/v1/users/alice", http.Header{"X-Api-Key": {key}}, ""); res.Status != http.StatusUnauthorized {
		t.Errorf("under another header: %d", res.Status)
	}

	if calls := s.TakeCalls(); len(calls) > 0 {
		t.Errorf("reached %v", gatewaytest.RPCs(calls))
	}

	if strings.Contains(s.Logs.String(), key) || strings.Contains(s.Logs.String(), expired) {
		t.Error("a key stands in the log")
	}
}

// What the allow-list names passes, in both directions, and nothing else.
func TestHeadersPassByAllowListAlone(t *testing.T) {
	t.Parallel()

	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

	s := gatewaytest.Start(t, func(c *config.Config) {
		c.Headers.Request = []string{"Accept-Language", "X-Flag"}
		c.Headers.Response = []string{"X-Total-Count"}
	})

	header := s.As(t, "alice")
	header["Accept-Language"] = []string{"de", "en"}
	header["X-Flag"] = []string{"on"}
	header["X-Other"] = []string{"no"}
	header["Cookie"] = []string{"a=b"}
	header["Connection"] = []string{"x-flag"}
	header["Traceparent"] = []string{trace}
	header["Tracestate"] = []string{"a=1"}

	if res := s.Do(t, http.MethodGet, "/v1/users/alice", header, ""); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	md := s.TakeCalls()[0].Metadata
	for name, want := range map[string][]string{
		"accept-language": {"de", "en"}, "x-flag": nil, "x-other": nil, "cookie": nil, "authorization": nil,
		"traceparent": {trace}, "tracestate": {"a=1"},
	} {
		if got := md.Get(name); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}

	header["Accept-Language"] = []string{"d\u00e9"}

	res := s.Do(t, http.MethodGet, "/v1/users/alice", header, "")
	if res.Status != http.StatusBadRequest || !strings.Contains(res.Body, "Accept-Language") {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	res.Problem(t)
}

// The client's token leaves the gateway only for upstreams that are configured to get it.
func TestAuthorizationIsForwardedByConfigurationAlone(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) {
		u := c.Upstreams["user"]
		u.ForwardAuthorization = true
		c.Upstreams["user"] = u
	})
	header := s.As(t, "alice")

	s.Do(t, http.MethodGet, "/v1/me/dashboard", header, "")

	for _, c := range s.TakeCalls() {
		want := 0
		if strings.HasPrefix(c.RPC, "/user.") {
			want = 1
		}

		got := c.Metadata.Get("authorization")
		if len(got) != want || want == 1 && got[0] != header.Get("Authorization") {
			t.Errorf("%s got %q", c.RPC, got)
		}
	}
}

// A backend can verify who calls with the keys on the admin listener, without trusting the network.
func TestInternalTokenCanBeVerified(t *testing.T) {
	t.Parallel()

	const issuer = "https://portico.example"

	s := gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.Patient(c)

		c.Auth.Internal.Issuer = issuer
	})
	s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice", "orders:read"), "")

	w := httptest.NewRecorder()
	s.Gateway.Admin().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/.well-known/jwks.json", nil))

	var keys jwkset.JWKSMarshal
	if err := json.Unmarshal(w.Body.Bytes(), &keys); err != nil || len(keys.Keys) != 1 {
		t.Fatalf("%v in %s", err, w.Body)
	}

	key, err := jwkset.NewJWKFromMarshal(keys.Keys[0], jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		t.Fatal(err)
	}

	calls := s.TakeCalls()
	if len(calls) != 3 {
		t.Fatalf("called %v", gatewaytest.RPCs(calls))
	}

	for _, c := range calls {
		tokens := c.Metadata.Get("x-portico-identity")
		if len(tokens) != 1 {
			t.Fatalf("%s got %q", c.RPC, tokens)
		}

		claims := jwt.MapClaims{}
		upstream, _, _ := strings.Cut(c.RPC[1:], ".")

		_, err := jwt.ParseWithClaims(tokens[0], claims, func(*jwt.Token) (any, error) { return key.Key(), nil },
			jwt.WithIssuer(issuer), jwt.WithAudience(upstream), jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithExpirationRequired())
		if err != nil || claims["sub"] != "alice" || claims["scope"] != "orders:read" {
			t.Errorf("%s: %v, %v", c.RPC, err, claims)
		}

		if exp, _ := claims.GetExpirationTime(); time.Until(exp.Time) > time.Minute {
			t.Errorf("%s: expires at %s", c.RPC, exp)
		}
	}

	// Nobody has no identity.
	s.Do(t, http.MethodGet, "/v1/users/alice", nil, "")
}

// An order is for oneself, unless one may order for others: the condition looks into the body.
func TestConditionOnTheRequest(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	for _, row := range []struct {
		name, body string
		scopes     []string
		status     int
	}{
		{"for_oneself", gatewaytest.OrderFor("alice"), nil, http.StatusCreated},
		{"for_nobody_in_particular", gatewaytest.AnOrder, nil, http.StatusCreated},
		{"for_another", `{"userId":"bob"}`, nil, http.StatusForbidden},
		{"for_another_in_proto_spelling", `{"user_id":"bob"}`, nil, http.StatusForbidden},
		{"for_another_with_the_scope", gatewaytest.OrderFor("bob"), []string{"orders:admin"}, http.StatusCreated},
	} {
		res := s.Do(t, http.MethodPost, "/v1/orders", s.As(t, "alice", row.scopes...), row.body)

		want := 0
		if row.status == http.StatusCreated {
			want = 1
		} else {
			res.Problem(t)
		}

		if calls := s.TakeCalls(); res.Status != row.status || len(calls) != want {
			t.Errorf("%s: %d %s, calls %v", row.name, res.Status, res.Body, gatewaytest.RPCs(calls))
		}
	}

	if logs := s.Logs.String(); !strings.Contains(logs, "condition") {
		t.Errorf("the log does not say why: %s", logs)
	}
}

// Once, nothing but the log said why a good token of such a caller was refused.
func TestSubjectsThatBackendsCannotBeToldOf(t *testing.T) {
	t.Parallel()

	signer := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	keys := filepath.Join(t.TempDir(), "jwks.json")

	if err := os.WriteFile(keys, authtest.KeySet(t, signer), 0o600); err != nil {
		t.Fatal(err)
	}

	s := gatewaytest.Start(t, func(c *config.Config) {
		c.Auth.Issuers = []config.Issuer{{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: keys}}
	})

	for name, row := range map[string]struct {
		claims authtest.Object
		want   string
	}{
		"subject": {authtest.Object{"sub": "Zoë"}, "subject: must be 1 to 255 characters of printable ASCII"},
		"tenant":  {authtest.Object{"tenant": "Köln"}, "tenant: must be printable ASCII"},
		"scopes":  {authtest.Object{"scope": "a läsa"}, "scopes: must be printable ASCII without spaces"},
		"roles":   {authtest.Object{"roles": []string{"a b"}}, "roles: must be printable ASCII without spaces"},
	} {
		header := http.Header{"Authorization": {"Bearer " + signer.Token(t, nil, row.claims)}}

		res := s.Do(t, http.MethodGet, "/v1/echo/x", header, "")
		if res.Status != http.StatusUnauthorized || !strings.Contains(res.Body, row.want) || !strings.Contains(s.Logs.String(), row.want) {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}

		res.Problem(t)
	}
}
