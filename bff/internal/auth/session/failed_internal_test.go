package session

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// page checks the page that a browser gets when a login fails.
func (b *browser) page(target string, status int, texts ...string) answer {
	b.Helper()

	res := b.send(http.MethodGet, target, "Accept", "text/html,*/*;q=0.8")
	if res.Code != status || res.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		b.Errorf("%s: %d %v %s", target, res.Code, res.Header(), res.Body)
	}

	for _, text := range texts {
		if !strings.Contains(res.Body.String(), text) {
			b.Errorf("%s: the page has no %q: %s", target, text, res.Body)
		}
	}

	return res
}

// The page of a failed login leads to where the user wanted to go.
func TestFailedLoginIsBegunAgain(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()
		state := b.begin(`/app?a=%22&b`)
		query := url.Values{"state": {state}, "code": {"another"}}

		b.page(CallbackPath+"?"+query.Encode(), http.StatusBadRequest, "<p>This login cannot be finished: begin it again.</p>",
			`<a href="/auth/login?return_to=%2Fapp%3Fa%3D%2522%26b">Log in</a>`)

		state = b.begin("/app")
		query = url.Values{"state": {state}, "error": {"access_denied"}}
		b.page(CallbackPath+"?"+query.Encode(), http.StatusForbidden, "<p>The login was cancelled or refused.</p>", `?return_to=%2Fapp"`)

		s.issuer.authorizing = provider.ErrUnavailable

		res := b.page(LoginPath+"?return_to=/app", http.StatusServiceUnavailable, "<p>Nobody can log in at the moment.</p>",
			`?return_to=%2Fapp"`)
		if got := res.Header().Get("Retry-After"); got != "5" {
			t.Errorf("Retry-After is %q", got)
		}
	})
}

// What is wrong with a login before it begins is a page for browsers, too.
func TestLoginThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	with(t, func(c *config.Sessions) { c.PublicURL = "" }, func(_ *testing.T, s *site) {
		b := s.browser()
		b.page(LoginPath+"?return_to=//evil.example", http.StatusBadRequest, "<p>return_to must be a path", `href="/auth/login"`)
		b.page(LoginPath, http.StatusBadRequest, "<p>Logins are not possible under this host.</p>")
	})
}

// Tokens that do not say who calls are no mistake of the user.
func TestTokensThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser()
		s.identify = identifies(errors.New("access token: invalid audience"))
		res := b.callback(b.begin("/app"))

		_, cause := res.rec.Outcome()
		if res.Code != http.StatusServiceUnavailable || !errors.Is(cause, errNotAccepted) ||
			!strings.Contains(cause.Error(), "auth.sessions.identity): access token: invalid audience") {
			t.Errorf("%d %s: %v", res.Code, res.Body, cause)
		}

		s.counted("login not_accepted")
	})
}

// A session whose new tokens are not accepted ends, and the log says so to operators.
func TestRefreshedTokensThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		s.identify = identifies(errors.New("access token: invalid audience"))

		time.Sleep(tokenLife)
		b.shows("anonymous")

		s.mu.Lock()
		defer s.mu.Unlock()

		if log := s.log.String(); !strings.Contains(log, "level=ERROR") || !slices.Contains(s.events, "refresh not_accepted") {
			t.Errorf("%q %s", s.events, log)
		}
	})
}
