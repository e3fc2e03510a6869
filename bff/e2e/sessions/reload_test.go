package sessions_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Sessions outlive a reload, also one with other settings of sessions.
func TestReload(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := s.login(t, "alice")

	s.reload(t, func(c *config.Config) {
		c.Auth.Sessions.RefreshAhead = time.Second
		c.Server.ServerTiming = true
	})

	if res := s.get(t, b, getAlice); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	s.reload(t, func(c *config.Config) { c.Auth.Sessions.Issuer = s.config.Auth.Issuers[0].Issuer })

	if res := s.get(t, b, getAlice); res.Status != http.StatusUnauthorized {
		t.Errorf("with another issuer: %d %s", res.Status, res.Body)
	}
}

// A refresh that has begun ends with new tokens, whatever becomes of the gateway that began it: the issuer has replaced the refresh
// token, and ends the login if it gets the old one again.
func TestReloadDuringRefresh(t *testing.T) {
	t.Parallel()

	s := start(t, lifetime(tokenLife), soon)
	b := s.login(t, "alice")
	ask := func() {
		if res := s.get(t, b, echo); res.Status != http.StatusOK {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}

	s.issuer.Hold(t)
	wait(t, tokenLife*6/10)

	// It waits for the refresh only if it is so late that the token has expired.
	var requests sync.WaitGroup

	requests.Go(ask)
	gatewaytest.Eventually(t, "refresh", func() bool { return s.issuer.Counts(t)["POST /token"] == 2 })
	s.reload(t, func(c *config.Config) { c.Server.ServerTiming = true })
	s.issuer.Release(t)
	requests.Wait()
	gatewaytest.Eventually(t, "tokens", func() bool { return s.refreshes(t) == 1 })

	expire(t)
	ask()

	if got := s.refreshes(t); got != 2 {
		t.Errorf("%d refreshes", got)
	}
}
