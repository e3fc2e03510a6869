package sessions_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

const (
	myDashboard = "/v1/me/dashboard"
	getProfile  = "/v1/users/alice/profile"
)

// principals is a gateway with policies that tell callers apart, and credentials of one user and of another.
type principals struct {
	*site

	// alice is a browser with a session, as bob is. token is an access token of alice.
	alice, bob *openidtest.Browser
	token      http.Header
}

func startPrincipals(t *testing.T, change func(*config.Config)) *principals {
	t.Helper()

	s := start(t, nil, func(c *config.Config) {
		gatewaytest.Patient(c)
		gatewaytest.SetPolicy(c, "user.v1.UserService.DeleteUser", gatewaytest.Object{"rate_limits": []any{
			gatewaytest.Object{"requests": 2, "per": "3600s"},
		}})
		gatewaytest.SetPolicy(c, "dashboard.v1.DashboardService.GetMyDashboard", gatewaytest.Object{
			"cache": gatewaytest.Object{"ttl": "3600s"},
		})

		if change != nil {
			change(c)
		}
	})

	return &principals{site: s, alice: s.login(t, "alice"), bob: s.login(t, "bob"), token: s.bearer(t, "alice")}
}

// wants checks the status of a response, and what the cache did for it.
func wants(t *testing.T, what string, res gatewaytest.Response, status int, cache string) {
	t.Helper()

	if got := res.Header.Get("Cache-Status"); res.Status != status || !strings.HasPrefix(got, cache) {
		t.Errorf("%s: %d, Cache-Status %q, want %d, %q: %s", what, res.Status, got, status, cache, res.Body)
	}
}

const (
	miss = "portico; fwd=uri-miss; stored"
	hit  = "portico; hit"
)

// What a user has done with a token counts for sessions of the user, and for nobody else.
func TestTokenAndSessionAreOnePrincipal(t *testing.T) { //nolint:tparallel // They count what arrives at the same backends.
	t.Parallel()

	s := startPrincipals(t, func(c *config.Config) { c.Auth.Internal.Issuer = "https://portico.example" })

	t.Run("rate_limit", func(t *testing.T) {
		for i, want := range []int{http.StatusNoContent, http.StatusTooManyRequests} {
			if res := s.Do(t, http.MethodDelete, getAlice, s.token, ""); res.Status != want {
				t.Errorf("token, %d: %d %s", i, res.Status, res.Body)
			}

			if res := s.send(t, s.alice, http.MethodDelete, getAlice, ""); res.Status != want {
				t.Errorf("session, %d: %d %s", i, res.Status, res.Body)
			}
		}

		if res := s.send(t, s.bob, http.MethodDelete, "/v1/users/bob", ""); res.Status != http.StatusNoContent {
			t.Errorf("another user: %d %s", res.Status, res.Body)
		}
	})

	t.Run("idempotency_key", func(t *testing.T) {
		header := csrf()
		header.Set("Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324")
		order := func(b *openidtest.Browser) gatewaytest.Response {
			return response(b.Fetch(t, http.MethodPost, s.URL+"/v1/orders", header, gatewaytest.AnOrder))
		}

		withKey := s.token.Clone()
		withKey.Set("Idempotency-Key", header.Get("Idempotency-Key"))
		first := s.Do(t, http.MethodPost, "/v1/orders", withKey, gatewaytest.AnOrder)

		s.TakeCalls()

		if res := order(s.alice); res.Header.Get("Idempotency-Replayed") != "true" || res.Body != first.Body || s.Count() != 0 {
			t.Errorf("session: %d %s after %d %s", res.Status, res.Body, first.Status, first.Body)
		}

		if res := order(s.bob); res.Status != http.StatusCreated || res.Header.Get("Idempotency-Replayed") != "" || s.Count() != 1 {
			t.Errorf("another user: %d %v", res.Status, res.Header)
		}
	})

	t.Run("cached_response", func(t *testing.T) {
		wants(t, "token", s.Do(t, http.MethodGet, getProfile, s.token, ""), http.StatusOK, miss)
		wants(t, "session", s.get(t, s.alice, getProfile), http.StatusOK, hit)
		wants(t, "new token", s.Do(t, http.MethodGet, getProfile, s.bearer(t, "alice"), ""), http.StatusOK, hit)
		wants(t, "new session", s.get(t, s.login(t, "alice"), getProfile), http.StatusOK, hit)
		wants(t, "another user", s.get(t, s.bob, getProfile), http.StatusForbidden, "")
		wants(t, "nobody", s.Do(t, http.MethodGet, getProfile, nil, ""), http.StatusUnauthorized, "")
	})

	t.Run("cached_response_of_a_composite", func(t *testing.T) {
		wants(t, "session", s.get(t, s.alice, myDashboard), http.StatusOK, miss)
		wants(t, "token", s.Do(t, http.MethodGet, myDashboard, s.token, ""), http.StatusOK, hit)
		wants(t, "another user", s.get(t, s.bob, myDashboard), http.StatusOK, miss)
	})

	t.Run("composite", func(t *testing.T) {
		s.TakeCalls()

		for path, want := range map[string]int{
			"/v1/users/alice/dashboard": http.StatusOK, "/v1/users/bob/dashboard": http.StatusForbidden,
		} {
			byToken := s.Do(t, http.MethodGet, path, s.token, "")
			calls := gatewaytest.RPCs(s.TakeCalls())

			bySession := s.get(t, s.alice, path)
			if diff := cmp.Diff(calls, gatewaytest.RPCs(s.TakeCalls())); diff != "" || byToken.Status != want || bySession.Status != want {
				t.Errorf("%s: %d with the token, %d with the session: %s", path, byToken.Status, bySession.Status, diff)
			}
		}
	})

	t.Run("internal_token", func(t *testing.T) {
		s.TakeCalls()
		s.Do(t, http.MethodGet, getAlice, s.token, "")
		s.get(t, s.alice, getAlice)

		calls := s.TakeCalls()
		if len(calls) != 2 {
			t.Fatalf("%d calls", len(calls))
		}

		if diff := cmp.Diff(signed(t, calls[0]), signed(t, calls[1])); diff != "" {
			t.Error(diff)
		}
	})
}

// signed are the claims of the token that the gateway has made for a call, without the times and its id.
func signed(t *testing.T, c gatewaytest.Call) jwt.MapClaims {
	t.Helper()

	claims := jwt.MapClaims{}

	tokens := c.Metadata.Get("x-portico-identity")
	if len(tokens) != 1 {
		t.Fatalf("%q", tokens)
	}

	if _, _, err := jwt.NewParser().ParseUnverified(tokens[0], claims); err != nil || claims["sub"] != "alice" {
		t.Fatalf("%v in %s: %v", claims, tokens[0], err)
	}

	for _, name := range []string{"exp", "iat", "nbf", "jti"} {
		delete(claims, name)
	}

	return claims
}

// A backend that gets tokens gets that of the request, and no response to another one is used in its place. The others are not told
// apart by it.
func TestForwardedTokensTellCredentialsApart(t *testing.T) {
	t.Parallel()

	s := startPrincipals(t, func(c *config.Config) {
		u := c.Upstreams["user"]
		u.ForwardAuthorization = true
		c.Upstreams["user"] = u

		gatewaytest.SetPolicy(c, "user.v1.UserService.GetUser", gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "3600s"}})
	})

	for _, path := range []string{getAlice, myDashboard} {
		wants(t, path+" with the token", s.Do(t, http.MethodGet, path, s.token, ""), http.StatusOK, miss)
		checkForwarded(t, s.TakeCalls(), func(got string) bool { return got == s.token.Get("Authorization") })

		wants(t, path+" with the session", s.get(t, s.alice, path), http.StatusOK, miss)
		checkForwarded(t, s.TakeCalls(), func(got string) bool {
			return strings.HasPrefix(got, "Bearer ") && got != s.token.Get("Authorization")
		})

		wants(t, path+" with the session again", s.get(t, s.alice, path), http.StatusOK, hit)
	}

	// No leg and no response of the other upstreams depends on it.
	wants(t, "profile with the token", s.Do(t, http.MethodGet, getProfile, s.token, ""), http.StatusOK, miss)
	wants(t, "profile with the session", s.get(t, s.alice, getProfile), http.StatusOK, hit)
}

// checkForwarded checks which token backends got, and that only those of the upstream did that forwards it.
func checkForwarded(t *testing.T, calls []gatewaytest.Call, want func(string) bool) {
	t.Helper()

	for _, c := range calls {
		got, forwarded := c.Metadata.Get("authorization"), strings.HasPrefix(c.RPC, "/user.")
		if forwarded && (len(got) != 1 || !want(got[0])) || !forwarded && len(got) > 0 {
			t.Errorf("%s got %q", c.RPC, got)
		}
	}
}

// A browser asks the gateway each time whether it may show what it has stored, which costs little, and is refused after a logout.
func TestBrowsersShowNothingAfterALogout(t *testing.T) {
	t.Parallel()

	s := startPrincipals(t, nil)

	byToken := s.Do(t, http.MethodGet, myDashboard, s.token, "")
	bySession := s.get(t, s.alice, myDashboard)

	for _, row := range []struct {
		credential string
		res        gatewaytest.Response
		caching    string
	}{{"token", byToken, "private, max-age=3600"}, {"session", bySession, "private, no-cache"}} {
		if vary := row.res.Header.Get("Vary"); row.res.Header.Get("Cache-Control") != row.caching ||
			!strings.Contains(vary, "Authorization") || !strings.Contains(vary, "Cookie") {
			t.Errorf("%s: %v", row.credential, row.res.Header)
		}
	}

	// JSON has these headers only with credentials that browsers send by themselves.
	if h := bySession.Header; !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
		h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", h)
	}

	again := func() gatewaytest.Response {
		header := http.Header{"If-None-Match": {bySession.Header.Get("Etag")}}

		return response(s.alice.Fetch(t, http.MethodGet, s.URL+myDashboard, header, ""))
	}

	if res := again(); res.Status != http.StatusNotModified || res.Body != "" || res.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("before the logout: %d %v", res.Status, res.Header)
	}

	if res := s.send(t, s.alice, http.MethodPost, "/auth/logout", ""); res.Header.Get("Clear-Site-Data") != `"cache"` {
		t.Errorf("logout: %d %v", res.Status, res.Header)
	}

	if res := again(); res.Status != http.StatusUnauthorized || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("after the logout: %d %v", res.Status, res.Header)
	}
}
