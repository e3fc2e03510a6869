package session

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// A shorter max_lifetime counts for the sessions that there are, and for one that somebody has written back to the store.
func TestMaxLifetimeIsShortened(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		s.cfg.MaxLifetime = 10 * time.Minute

		for range 9 {
			time.Sleep(time.Minute)
			b.shows(b.send(http.MethodGet, "/v1/orders").Body.String())
		}

		res := b.send(http.MethodGet, StatePath)
		if want := `"expires_at":"2000-01-01T00:10:00Z","idle_expires_at":"2000-01-01T00:10:00Z"`; !strings.Contains(res.Body.String(), want) {
			t.Errorf("got %s, want %s", res.Body, want)
		}

		time.Sleep(time.Minute)
		b.shows("anonymous")
	})
}

// A session that the store fails to end is still there, also after a logout everywhere.
func TestLogoutCanBeRepeated(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b, other := s.browser().login(), s.browser().login()
		s.store.deletesAll.Store(1)

		if res := b.send(http.MethodPost, LogoutPath+"?everywhere=true", "X-Csrf", "1"); res.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", res.Code, res.Body)
		}

		if res := b.send(http.MethodPost, LogoutPath+"?everywhere=true", "X-Csrf", "1"); res.Code != http.StatusOK {
			t.Errorf("again: %d %s", res.Code, res.Body)
		}

		other.shows("anonymous")
	})
}

// The session before a login ends when the store is back.
func TestSessionBeforeALoginEndsLater(t *testing.T) {
	t.Parallel()

	for name, fail := range map[string]func(*fragile){
		"load":   func(f *fragile) { f.loads.Store(1) },
		"delete": func(f *fragile) { f.deletes.Store(3) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				b, before := s.browser().login(), s.browser()
				before.cookies[s.cfg.Cookie] = b.cookies[s.cfg.Cookie]
				state := b.begin("/")
				fail(s.store)

				if res := b.callback(state); res.Code != http.StatusSeeOther {
					t.Fatalf("%d %s", res.Code, res.Body)
				}

				synctest.Wait()
				time.Sleep(5 * time.Second)
				synctest.Wait()
				before.shows("anonymous")
			})
		})
	}
}

// A gateway that dies between the receipt of a logout token and the end of the sessions does not keep the provider from sending it
// again.
func TestLogoutTokenOfAGatewayThatDied(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		s.issuer.logout.ID, s.issuer.logout.Subject, s.issuer.logout.Until = "1", "alice", time.Now().Add(10*time.Minute)
		s.store.deletesAll.Store(1)
		s.store.releases.Store(1)

		if res := s.browser().send(http.MethodPost, BackchannelPath); res.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", res.Code, res.Body)
		}

		time.Sleep(logoutLease)

		for _, want := range []int{http.StatusOK, http.StatusBadRequest} {
			if res := s.browser().send(http.MethodPost, BackchannelPath); res.Code != want {
				t.Errorf("%d %s, want %d", res.Code, res.Body, want)
			}

			time.Sleep(time.Minute) // It stays used.
		}

		b.shows("anonymous")
	})
}

// Whoever logs out everywhere, or is logged out by the provider, ends the logins that have begun as well.
func TestLogoutEndsLoginsThatHaveBegun(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		s.issuer.sid = "s1"
		b, slow := s.browser().login(), s.browser()
		before := slow.begin("/")

		time.Sleep(time.Second)
		b.send(http.MethodPost, LogoutPath+"?everywhere=true", "X-Csrf", "1")
		time.Sleep(time.Second)

		if res := slow.callback(before); res.Code != http.StatusBadRequest {
			t.Errorf("a login of before: %d %s", res.Code, res.Body)
		}

		s.counted("login refused")
		synctest.Wait()

		if !slices.Contains(s.issuer.revoked, "refresh 2") {
			t.Errorf("revoked %v", s.issuer.revoked)
		}

		slow.login().shows("staff:alice with Bearer alice 3")

		// During the exchange of the code, whatever the clock of the gateway that began the login says.
		exchanging := s.browser()
		state := exchanging.begin("/")
		s.identify = func(provider.Tokens) error {
			time.Sleep(time.Second)

			_, err := s.Store.DeleteAll(t.Context(), sessionLabel(theIssuer, "s1"))

			return err
		}

		if res := exchanging.callback(state); res.Code != http.StatusBadRequest {
			t.Errorf("a login at the same time: %d %s", res.Code, res.Body)
		}
	})
}
