package session

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// times checks how often the log has a text.
func (s *site) times(text string, want int) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()

	if got := strings.Count(s.log.String(), text); got != want {
		s.Errorf("the log has %q %d times, want %d: %s", text, got, want, s.log.String())
	}
}

// Refreshes that fail are logged with the subject, and not for every request.
func TestRefreshesThatFailAreLogged(t *testing.T) {
	t.Parallel()
	with(t, nil, func(_ *testing.T, s *site) {
		b := s.browser().login()
		s.issuer.refreshing = provider.ErrUnavailable

		time.Sleep(tokenLife)

		for range 9 {
			b.send(http.MethodGet, "/v1/orders")
			time.Sleep(refreshPause)
		}

		s.times(`msg="a session was not refreshed" subject=staff:alice error=`, 1)
		time.Sleep(notRefreshedPause)
		b.send(http.MethodGet, "/v1/orders")
		s.times(`msg="a session was not refreshed" subject=staff:alice error=`, 2)
	})
}

// Scopes that the provider leaves out are logged once.
func TestFewerScopesAreLogged(t *testing.T) {
	t.Parallel()
	with(t, func(c *config.Sessions) { c.Scopes = []string{"openid", "orders", "offline_access"} }, func(_ *testing.T, s *site) {
		const text = "has not granted all scopes"

		s.issuer.scopes = []string{"orders"}
		s.browser().login()
		s.times(text, 0)

		s.issuer.scopes = []string{"openid"}
		s.browser().login()
		s.browser().login()
		s.times(text, 1)
		s.times("missing=[orders] granted=[openid]", 1)
	})
}
