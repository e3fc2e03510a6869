package session

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Once, nobody could log out, or in again, with a session whose access token had expired and could not be refreshed.
func TestPagesNeedNoToken(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		method, target string
		want           int
	}{
		"state":       {http.MethodGet, StatePath, http.StatusOK},
		"login":       {http.MethodGet, LoginPath, http.StatusSeeOther},
		"logout":      {http.MethodPost, LogoutPath, http.StatusOK},
		"everywhere":  {http.MethodPost, LogoutPath + "?everywhere=true", http.StatusOK},
		"backchannel": {http.MethodPost, BackchannelPath, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				b := s.browser().login()
				s.issuer.refreshing = errors.Join(provider.ErrUnavailable, provider.ErrClient)
				s.issuer.logout = provider.Logout{ID: "1", Subject: "alice", Until: time.Now().Add(time.Hour)}
				time.Sleep(tokenLife)

				if res := b.send(http.MethodGet, "/v1/orders"); res.Code != http.StatusServiceUnavailable {
					t.Errorf("a route: %d %s", res.Code, res.Body)
				}

				if res := b.send(tt.method, tt.target, "X-Csrf", "1"); res.Code != tt.want {
					t.Errorf("got %d %s, want %d", res.Code, res.Body, tt.want)
				}
			})
		})
	}
}

// With two cookies a browser can log in again, and learns from the pages that need the session that it has none.
func TestPagesWithTwoCookies(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		two := s.cfg.Cookie + "=" + newSecret() + "; " + s.cfg.Cookie + "=" + b.cookies[s.cfg.Cookie]

		for _, tt := range []struct {
			method, target string
			want           int
		}{
			{http.MethodGet, LoginPath, http.StatusSeeOther},
			{http.MethodGet, StatePath, http.StatusUnauthorized},
			{http.MethodPost, LogoutPath, http.StatusUnauthorized},
		} {
			res := s.browser().send(tt.method, tt.target, "Cookie", two, "X-Csrf", "1")
			if res.Code != tt.want || strings.Contains(res.Header().Get("Set-Cookie"), s.cfg.Cookie+"=") {
				t.Errorf("%s: %d %v %s", tt.target, res.Code, res.Header(), res.Body)
			}
		}
	})
}

// The log has whose session a page was asked about.
func TestPagesRecordTheCaller(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()

		if rec := b.send(http.MethodGet, StatePath).rec; rec.Principal.Subject != "staff:alice" {
			t.Errorf("got %+v", rec.Principal)
		}
	})
}

// Once, the response to a request of before a login, which came after it, made the browser drop the new cookie.
func TestOnlyPagesDropTheCookie(t *testing.T) {
	t.Parallel()
	with(t, func(c *config.Sessions) { c.SameSite = config.SameSiteLax }, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		late := s.browser()
		late.cookies[s.cfg.Cookie] = b.cookies[s.cfg.Cookie]
		b.login()
		synctest.Wait()

		res := late.send(http.MethodGet, "/v1/orders")
		if !res.rec.SessionEnded || res.rec.Login != LoginPath || res.Header()["Set-Cookie"] != nil {
			t.Errorf("a route: %+v, %v", res.rec, res.Header())
		}

		for _, page := range [][2]string{{http.MethodGet, StatePath}, {http.MethodPost, LogoutPath}} {
			ended := s.browser()
			ended.cookies[s.cfg.Cookie] = late.cookies[s.cfg.Cookie]

			res := ended.send(page[0], page[1], "X-Csrf", "1")
			if res.Code != http.StatusUnauthorized || res.rec.Refusal().Reason != reqinfo.ReasonSessionEnded || len(ended.cookies) > 0 {
				t.Errorf("%s: %d %s, cookies %v", page[1], res.Code, res.Body, ended.cookies)
			}
		}
	})
}
