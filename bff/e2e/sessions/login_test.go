package sessions_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

// identities are what backends learn of the caller, by method.
func identities(calls []gatewaytest.Call) map[string]metadata.MD {
	out := map[string]metadata.MD{}

	for _, call := range calls {
		md := call.Metadata.Copy()
		delete(md, "x-request-id")
		out[call.RPC] = md
	}

	return out
}

// state is the response of /auth/session, without the times.
func (s *site) state(t *testing.T, b *openidtest.Browser) object {
	t.Helper()

	res := s.get(t, b, "/auth/session")
	if res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	var state object
	if err := json.Unmarshal([]byte(res.Body), &state); err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"expires_at", "idle_expires_at", "logged_in_at"} {
		if _, err := time.Parse(time.RFC3339, state[name].(string)); err != nil {
			t.Errorf("%s: %v", name, err)
		}

		delete(state, name)
	}

	return state
}

func TestLogin(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := openidtest.New(t)

	if res := s.get(t, b, getAlice); res.Status != http.StatusUnauthorized || res.Problem(t)["login"] != "/auth/login" {
		t.Errorf("before the login: %d %s", res.Status, res.Body)
	}

	visit := b.Login(t, s.URL, getAlice+"?a=b", "alice")
	if got := visit.Next.String(); got != s.URL+getAlice+"?a=b" {
		t.Errorf("the login leads to %s", got)
	}

	if counts := s.issuer.Counts(t); counts["pushed_authorization_request 201"] != 1 {
		t.Errorf("the request was not pushed: %v", counts)
	}

	want := object{
		"issuer": s.issuer.URL, "subject": "alice", "tenant": "acme", "roles": []any{"customer", "tester"},
		"scopes": []any{"orders:read"}, "profile": object{"name": "Alice", "email": "alice@example.com"},
	}
	if diff := cmp.Diff(want, s.state(t, b)); diff != "" {
		t.Error(diff)
	}
}

// A principal is a principal: with a session everything is as with a token of the same issuer.
func TestSameIdentityAsWithAToken(t *testing.T) {
	t.Parallel()

	// A principal's second request would be served from what the first one has stored.
	s := start(t, nil, func(c *config.Config) { c.Cache.Disabled = true })
	b, token := s.login(t, "alice"), s.bearer(t, "alice")

	for _, target := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, getAlice, "", http.StatusOK},
		{http.MethodGet, "/v1/users/bob", "", http.StatusForbidden},
		{http.MethodGet, "/v1/users", "", http.StatusForbidden},
		{http.MethodDelete, getAlice, "", http.StatusNoContent},
		{http.MethodPost, "/v1/orders", gatewaytest.OrderFor("bob"), http.StatusForbidden},
		{http.MethodPost, "/v1/orders", gatewaytest.OrderFor("alice"), http.StatusCreated},
		{http.MethodGet, "/v1/me/dashboard", "", http.StatusOK},
	} {
		byToken := s.Do(t, target.method, target.path, token, target.body)
		want := identities(s.TakeCalls())
		bySession := s.send(t, b, target.method, target.path, target.body)
		got := identities(s.TakeCalls())

		if byToken.Status != target.status || bySession.Status != target.status {
			t.Errorf("%s %s: %d with the token, %d with the session", target.method, target.path, byToken.Status, bySession.Status)
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s: metadata: %s", target.method, target.path, diff)
		}

		if target.status >= http.StatusBadRequest {
			if got, want := bySession.Problem(t)["detail"], byToken.Problem(t)["detail"]; got != want {
				t.Errorf("%s %s: %q with the session, %q with the token", target.method, target.path, got, want)
			}
		} else if diff := cmp.Diff(byToken.Body, bySession.Body); diff != "" || len(got) == 0 {
			t.Errorf("%s %s: %d calls, %s", target.method, target.path, len(got), diff)
		}
	}
}

// What was done with a token is not done again with a session.
func TestSameIdempotencyAsWithAToken(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b, token := s.login(t, "alice"), s.bearer(t, "alice")
	token.Set("Idempotency-Key", "k")

	first := s.Do(t, http.MethodPost, "/v1/orders", token, gatewaytest.AnOrder)

	header := csrf()
	header.Set("Idempotency-Key", "k")

	again := response(b.Fetch(t, http.MethodPost, s.URL+"/v1/orders", header, gatewaytest.AnOrder))
	if first.Status != http.StatusCreated || again.Body != first.Body || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s, then %d %s", first.Status, first.Body, again.Status, again.Body)
	}
}

// An upstream that wants the token gets that of the session.
func TestTokenIsForwarded(t *testing.T) {
	t.Parallel()

	s := start(t, nil, func(c *config.Config) {
		for name, upstream := range c.Upstreams {
			upstream.ForwardAuthorization = true
			c.Upstreams[name] = upstream
		}
	})
	b := s.login(t, "alice")

	if res := s.get(t, b, getAlice); res.Status != http.StatusOK {
		t.Fatal(res)
	}

	got := identities(s.TakeCalls())[gatewaytest.RPCGetUser].Get("authorization")
	if len(got) != 1 || s.Do(t, http.MethodGet, getAlice, http.Header{"Authorization": got}, "").Status != http.StatusOK {
		t.Errorf("the upstream got %q", got)
	}
}

// The gateway is known to issuers in each of these ways.
func TestClients(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		issuer func(*servers.IssuerConfig)
		change func(*config.Config)
	}{
		"basic_with_characters_to_encode": {
			with(func(c *servers.IssuerClient) { c.Secret = "a:b+c%20 d/e&f=" }),
			func(c *config.Config) { c.Auth.Sessions.ClientSecret = "a:b+c%20 d/e&f=" },
		},
		"post": {
			with(func(c *servers.IssuerClient) { c.Auth = "client_secret_post" }),
			func(c *config.Config) { c.Auth.Sessions.ClientAuth = config.ClientAuthPost },
		},
		"public": {
			with(func(c *servers.IssuerClient) { c.Auth, c.Secret = "none", "" }),
			func(c *config.Config) { c.Auth.Sessions.ClientSecret = "" },
		},
		"requests_must_be_pushed": {func(c *servers.IssuerConfig) { c.RequirePAR = true }, nil},
		"resource_is_asked_for": {
			func(c *servers.IssuerConfig) { c.Resource = "" },
			func(c *config.Config) {
				c.Auth.Sessions.AuthorizationParameters = map[string]string{"resource": audience}
			},
		},
		"offline_access": {nil, func(c *config.Config) {
			c.Auth.Sessions.Scopes = append(c.Auth.Sessions.Scopes, "offline_access")
			c.Auth.Sessions.AuthorizationParameters = map[string]string{"prompt": "consent"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := start(t, func(c *servers.IssuerConfig) {
				lifetime(tokenLife)(c)

				if row.issuer != nil {
					row.issuer(c)
				}
			}, func(c *config.Config) {
				soon(c)

				if row.change != nil {
					row.change(c)
				}
			})
			b := s.login(t, "alice")
			s.refreshed(t, b, echo)

			if res := s.send(t, b, http.MethodPost, "/auth/logout", ""); res.Status != http.StatusOK {
				t.Errorf("%d %s", res.Status, res.Body)
			}

			gatewaytest.Eventually(t, "revocation", func() bool { return s.issuer.Counts(t)["revocation 200"] > 0 })
			s.mustEnd(t, b)
		})
	}
}

// refreshed sends requests until the tokens were refreshed.
func (s *site) refreshed(t *testing.T, b *openidtest.Browser, path string) {
	t.Helper()

	gatewaytest.Eventually(t, "refresh", func() bool {
		if res := s.get(t, b, path); res.Status != http.StatusOK {
			t.Fatalf("%d %s", res.Status, res.Body)
		}

		return s.refreshes(t) > 0
	})
}

// Where access tokens are opaque, the ID token says who calls.
func TestOpaqueAccessTokens(t *testing.T) {
	t.Parallel()

	s := start(t, func(c *servers.IssuerConfig) {
		lifetime(tokenLife)(c)
		c.Resource = ""
	}, func(c *config.Config) {
		soon(c)
		c.Auth.Sessions.Identity = config.IdentityIDToken
		c.Auth.Sessions.SubjectPrefix = "web:"
	})
	b := s.login(t, "alice")
	s.refreshed(t, b, "/v1/echo/before")
	s.TakeCalls()

	if res := s.get(t, b, "/v1/users/web:alice"); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	if subject := identities(s.TakeCalls())[gatewaytest.RPCGetUser].Get("x-portico-subject"); len(subject) != 1 || subject[0] != "web:alice" {
		t.Errorf("the subject is %q", subject)
	}
}
