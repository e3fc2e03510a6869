package sessions_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
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

// What the tokens of a session say is read anew by the settings of a reload, and a token that they do not accept is none.
func TestReloadWithOtherClaims(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := s.login(t, "alice")

	s.reload(t, func(c *config.Config) { c.Auth.Issuers[len(c.Auth.Issuers)-1].Claims.Roles = "aud" })

	if got := s.state(t, b); len(got["roles"].([]any)) == 0 || got["subject"] != "alice" {
		t.Errorf("with another claim of roles: %v", got)
	}

	s.reload(t, func(c *config.Config) {
		c.Auth.Issuers[len(c.Auth.Issuers)-1].RequiredClaims = map[string][]string{"acr": {"mfa"}}
	})

	if res := s.get(t, b, getAlice); res.Status != http.StatusUnauthorized {
		t.Errorf("with a claim that is missing: %d %s", res.Status, res.Body)
	}
}
