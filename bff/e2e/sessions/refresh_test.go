package sessions_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

// tokenLife is that of access tokens where they have to expire.
const tokenLife = time.Second

// expire waits until the access token of a session has expired, which the first request then finds out.
func expire(t *testing.T) {
	t.Helper()

	select {
	case <-t.Context().Done():
	case <-time.After(tokenLife + 100*time.Millisecond): // Its life is a whole number of seconds.
	}
}

// soon has tokens refreshed as early as possible: when half of their lives has passed.
func soon(c *config.Config) { c.Auth.Sessions.RefreshAhead = 24 * time.Hour }

// afterExpiry has tokens refreshed when they have expired, and not before.
func afterExpiry(c *config.Config) { c.Auth.Sessions.RefreshAhead = time.Millisecond }

// Requests are served with a token that is going to expire while it is replaced.
func TestRefreshAheadOfExpiry(t *testing.T) {
	t.Parallel()

	s := start(t, lifetime(6*time.Second), soon)
	b := s.login(t, "alice")
	s.issuer.Hold(t)

	gatewaytest.Eventually(t, "refresh", func() bool {
		if res := s.get(t, b, echo); res.Status != http.StatusOK {
			t.Fatalf("%d %s", res.Status, res.Body)
		}

		return s.issuer.Counts(t)["POST /token"] == 2
	})
	s.issuer.Release(t)
	gatewaytest.Eventually(t, "response", func() bool { return s.refreshes(t) == 1 })
}

// Requests wait for a token when it has expired, and cause one refresh together. Each refresh has a refresh token of its own: an issuer
// that gets one twice ends the login.
func TestRefreshAfterExpiry(t *testing.T) {
	t.Parallel()

	s := start(t, lifetime(tokenLife), afterExpiry)
	b := s.login(t, "alice")

	for n := range 2 {
		expire(t)

		var requests sync.WaitGroup

		for range 20 {
			requests.Go(func() {
				if res := s.get(t, b, echo); res.Status != http.StatusOK {
					t.Errorf("%d %s", res.Status, res.Body)
				}
			})
		}

		requests.Wait()

		if got := s.refreshes(t); got != n+1 {
			t.Errorf("%d refreshes, not %d", got, n+1)
		}
	}
}

// While the issuer is down the session goes on with its token, and then waits for the issuer. Nobody has to log in again.
func TestIssuerIsDown(t *testing.T) {
	t.Parallel()

	s := start(t, lifetime(tokenLife), afterExpiry)
	b := s.login(t, "alice")
	s.issuer.Down(t)
	expire(t)

	res := s.get(t, b, getAlice)
	if res.Status != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || res.Problem(t)["login"] != nil {
		t.Errorf("down: %d %s", res.Status, res.Body)
	}

	if b.Jar.Cookie(t, s.URL, sessionCookie) == "" {
		t.Error("the cookie is gone")
	}

	// Requests for authorization are pushed, so the gateway finds out first.
	failed := openidtest.New(t).Open(t, s.URL+"/auth/login", "bob", nil).Last()
	if failed.URL().Path != "/auth/login" || failed.Status != http.StatusServiceUnavailable {
		t.Errorf("login: %s: %d %s", failed.URL(), failed.Status, failed.Body)
	}

	s.issuer.Up(t)
	gatewaytest.Eventually(t, "service", func() bool { return s.get(t, b, getAlice).Status == http.StatusOK })
}

// A gateway starts without its issuer, and logs in when it is there.
func TestIssuerIsDownAtFirst(t *testing.T) {
	t.Parallel()

	at := newPlace(t)
	issuer := startIssuer(t, at.url, nil)
	issuer.Down(t)

	s := startGateway(t, at, issuer, at.url, nil)

	failed := openidtest.New(t).Open(t, s.URL+"/auth/login", "alice", nil).Last()
	if failed.Status != http.StatusServiceUnavailable || !strings.HasPrefix(failed.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %s", failed.Status, failed.Body)
	}

	issuer.Up(t)
	// The keys of the issuer are looked for again after a while.
	gatewaytest.Eventually(t, "login", func() bool {
		b := openidtest.New(t)
		b.Open(t, s.URL+"/auth/login?return_to=/auth/session", "alice", nil)

		return s.get(t, b, getAlice).Status == http.StatusOK
	})
}

// A session ends when the issuer refuses to refresh it.
func TestRefreshIsRefused(t *testing.T) {
	t.Parallel()

	s := start(t, func(c *servers.IssuerConfig) {
		lifetime(tokenLife)(c)
		c.Clients[0].BackchannelLogoutURI = "" // The gateway does not learn of the logout.
	}, afterExpiry)
	b := s.login(t, "alice")

	s.endAtIssuer(t, b)

	if res := s.get(t, b, getAlice); res.Status == http.StatusOK {
		expire(t)
	}

	s.mustEnd(t, b)

	if b.Jar.Cookie(t, s.URL, sessionCookie) != "" {
		t.Error("the browser still has the cookie")
	}

	if counts := s.issuer.Counts(t); counts["token refresh_token 400"] != 1 {
		t.Errorf("%v", counts)
	}
}

// A token that lives shorter than refresh_ahead is not replaced at every request.
func TestShortLivedTokens(t *testing.T) {
	t.Parallel()

	s := start(t, lifetime(time.Minute), soon)
	b := s.login(t, "alice")

	for range 20 {
		if res := s.get(t, b, echo); res.Status != http.StatusOK {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}

	if got := s.refreshes(t); got > 1 {
		t.Errorf("%d refreshes", got)
	}
}
