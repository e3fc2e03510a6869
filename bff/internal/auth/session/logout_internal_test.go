package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

func TestLogout(t *testing.T) {
	t.Parallel()

	to := func(place string) string {
		return `{"logout_url":"https://login.example/end?` + strings.ReplaceAll(url.Values{"hint": {"id 1"}, "to": {place}}.Encode(), "&", `\u0026`) + `"}`
	}

	for name, tt := range map[string]struct {
		change func(*config.Sessions)
		err    error
		want   string
	}{
		"default":    {nil, nil, to("https://app.example/")},
		"elsewhere":  {func(c *config.Sessions) { c.LoggedOutURL = "https://www.example/bye" }, nil, to("https://www.example/bye")},
		"no_host":    {func(c *config.Sessions) { c.PublicURL = "" }, nil, "{}"},
		"issuer_err": {nil, provider.ErrUnavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				b, other := s.browser().login(), s.browser().login()
				if tt.change != nil {
					tt.change(&s.cfg)
				}

				s.issuer.leaving = tt.err
				old := s.browser()
				old.cookies[s.cfg.Cookie] = b.cookies[s.cfg.Cookie]

				res := b.send(http.MethodPost, LogoutPath, "X-Csrf", "1")
				if got := strings.TrimSpace(res.Body.String()); res.Code != http.StatusOK || tt.want != "" && got != tt.want {
					t.Errorf("%d %s, want %s", res.Code, got, tt.want)
				}

				if res.Header().Get("Clear-Site-Data") != `"cache"` || b.cookies[s.cfg.Cookie] != "" {
					t.Errorf("%v", res.Header())
				}

				s.counted("logout browser")
				synctest.Wait()

				if !slices.Equal(s.issuer.revoked, []string{"refresh 1"}) {
					t.Errorf("revoked %v", s.issuer.revoked)
				}

				old.shows("anonymous")
				other.shows("staff:alice with Bearer alice 2")
			})
		})
	}
}

func TestLogoutIsRefused(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()

		for name, tt := range map[string]struct {
			target string
			header []string
			want   int
		}{
			"no_header":     {LogoutPath, nil, 403},
			"cross_site":    {LogoutPath, []string{"X-Csrf", "1", "Sec-Fetch-Site", "cross-site"}, 403},
			"odd_parameter": {LogoutPath + "?everywhere=yes", []string{"X-Csrf", "1"}, 400},
		} {
			if res := b.send(http.MethodPost, tt.target, tt.header...); res.Code != tt.want {
				t.Errorf("%s: %d %s", name, res.Code, res.Body)
			}
		}

		// Also if the cookie was not looked at before, because the request has another credential.
		r := httptest.NewRequest(http.MethodPost, "https://app.example"+LogoutPath, nil)
		r.AddCookie(&http.Cookie{Name: s.cfg.Cookie, Value: b.cookies[s.cfg.Cookie]})
		r.Header.Set("Sec-Fetch-Site", "cross-site")

		w := httptest.NewRecorder()
		if s.Logout(w, r); w.Code != http.StatusForbidden {
			t.Errorf("%d %s", w.Code, w.Body)
		}

		b.shows("staff:alice with Bearer alice 1")

		if res := s.browser().send(http.MethodPost, LogoutPath, "X-Csrf", "1"); res.Code != http.StatusUnauthorized {
			t.Errorf("without a session: %d %s", res.Code, res.Body)
		}
	})
}

func TestLogoutEverywhere(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		one, two := s.browser().login(), s.browser().login()
		s.issuer.subject = "bob"
		bob := s.browser().login()

		if res := one.send(http.MethodPost, LogoutPath+"?everywhere=true", "X-Csrf", "1"); res.Code != http.StatusOK {
			t.Errorf("%d %s", res.Code, res.Body)
		}

		one.shows("anonymous")
		two.shows("anonymous")
		bob.shows("staff:bob with Bearer bob 3")
	})
}

// The provider ends a session of its own, or all of a subject; each token counts once.
func TestBackchannel(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		logout        provider.Logout
		first, second bool
	}{
		"session":         {provider.Logout{SessionID: "s1"}, false, true},
		"session_and_sub": {provider.Logout{SessionID: "s1", Subject: "alice"}, false, true},
		"subject":         {provider.Logout{Subject: "alice"}, false, false},
		"another":         {provider.Logout{Subject: "bob"}, true, true},
		"another_session": {provider.Logout{SessionID: "s3", Subject: "alice"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				s.issuer.sid = "s1"
				one := s.browser().login()
				s.issuer.sid = "s2"
				two := s.browser().login()

				s.issuer.logout = tt.logout
				s.issuer.logout.ID, s.issuer.logout.Until = "1", time.Now().Add(time.Minute)

				if res := s.browser().send(http.MethodPost, BackchannelPath); res.Code != http.StatusOK || res.Body.Len() > 0 {
					t.Errorf("%d %s", res.Code, res.Body)
				}

				s.counted("logout provider")
				s.mustBe(t, one, tt.first)
				s.mustBe(t, two, tt.second)

				if res := s.browser().send(http.MethodPost, BackchannelPath); res.Code != http.StatusBadRequest {
					t.Errorf("again: %d %s", res.Code, res.Body)
				}
			})
		})
	}
}

func TestBackchannelIsRefused(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		s.issuer.logout = provider.Logout{ID: "1", Subject: "alice", Until: time.Now().Add(time.Minute)}

		for name, tt := range map[string]struct {
			verifying, store error
			want             int
		}{
			"refused":        {provider.ErrRefused, nil, 400},
			"issuer_is_down": {provider.ErrUnavailable, nil, 503},
			"store_is_down":  {nil, errors.New("secret of the store"), 503},
		} {
			s.issuer.verifying = tt.verifying
			s.store.fail(tt.store)

			if res := s.browser().send(http.MethodPost, BackchannelPath); res.Code != tt.want || strings.Contains(res.Body.String(), "secret") {
				t.Errorf("%s: %d %s", name, res.Code, res.Body)
			}
		}

		s.issuer.verifying = nil
		s.store.fail(nil)

		for name, tt := range map[string]struct{ contentType, body string }{
			"none":     {"application/x-www-form-urlencoded", ""},
			"two":      {"application/x-www-form-urlencoded", "logout_token=x&logout_token=y"},
			"json":     {"application/json", `{"logout_token":"x"}`},
			"in_query": {"", ""},
			"large":    {"application/x-www-form-urlencoded", "logout_token=" + strings.Repeat("x", maxLogoutForm)},
		} {
			r := httptest.NewRequest(http.MethodPost, BackchannelPath+"?logout_token=x", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.contentType)

			w := httptest.NewRecorder()
			if s.Backchannel(w, r); w.Code != http.StatusBadRequest {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}

		s.counted("logout refused")
		b.shows("staff:alice with Bearer alice 1")
	})
}
