package session

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// The log says who has logged in, and whose sessions were ended by whom.
func TestWhoIsLogged(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		a, b := s.browser(), s.browser().login()

		res := a.callback(a.begin("/"))
		if got := res.rec.Principal.Subject; got != "staff:alice" {
			t.Errorf("the record of the login has the caller %q", got)
		}

		b.send(http.MethodPost, LogoutPath+"?everywhere=true", "X-Csrf", "1")
		s.logged(`msg="sessions were ended" by=browser subject=staff:alice ended=2`)

		a.login()

		s.issuer.logout = provider.Logout{ID: "1", Subject: "alice"}
		a.send(http.MethodPost, BackchannelPath, "X-Csrf", "1")
		s.logged(`msg="sessions were ended" by=provider subject=alice ended=1`)
	})
}

// logged checks that the log has a text.
func (s *site) logged(text string) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()

	if !strings.Contains(s.log.String(), text) {
		s.Errorf("the log has no %q: %s", text, s.log.String())
	}
}

// An operator who ends no session is not counted.
func TestRevokeOfNobody(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		if ended, err := s.RevokeSubject(t.Context(), "nobody"); ended != 0 || err != nil || len(s.events) != 0 {
			t.Errorf("%d %v %q", ended, err, s.events)
		}
	})
}

// A request that is refused because its session cannot be refreshed is logged with its caller.
func TestCallerOfASessionThatCannotBeRefreshed(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		s.issuer.refreshing = provider.ErrUnavailable

		time.Sleep(tokenLife)

		if res := b.send(http.MethodGet, "/v1/orders"); res.Code != http.StatusServiceUnavailable || res.rec.Principal.Subject != "staff:alice" {
			t.Errorf("%d, caller %q", res.Code, res.rec.Principal.Subject)
		}
	})
}
