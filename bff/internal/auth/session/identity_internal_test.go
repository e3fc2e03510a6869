package session

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// reloads gives the gateway other settings, by which tokens identify a caller, or nobody.
func (s *site) reloads(who func(provider.Tokens) (reqinfo.Principal, error)) {
	s.Settings += "x"
	s.Identify = func(_ context.Context, t provider.Tokens) (reqinfo.Principal, time.Time, error) {
		p, err := who(t)

		return p, time.Time{}, err
	}
}

func alice(scopes ...string) reqinfo.Principal {
	return reqinfo.Principal{Subject: "staff:alice", Issuer: theIssuer, Scopes: scopes}
}

// Sessions go on after a reload, and who calls is what the new settings say.
func TestOtherSettings(t *testing.T) {
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()

		var asked []provider.Tokens

		s.reloads(func(t provider.Tokens) (reqinfo.Principal, error) {
			asked = append(asked, t)

			return alice("more"), nil
		})

		if res := b.send(http.MethodGet, StatePath); !strings.Contains(res.Body.String(), `"scopes":["more"]`) {
			t.Errorf("the page of the session: %s", res.Body)
		}

		b.shows("staff:alice with Bearer alice 1")

		if len(asked) != 2 || asked[0].Access != "alice 1" || asked[0].Claims["sub"] != "alice" {
			t.Errorf("asked with %+v", asked)
		}

		// It is stored with the next tokens.
		time.Sleep(tokenLife)
		b.shows("staff:alice with Bearer alice 2")

		asked = nil

		b.shows("staff:alice with Bearer alice 2")

		if len(asked) != 0 {
			t.Error("identified again by the same settings")
		}
	})
}

// A token that the settings do not accept any more is replaced, if that is possible.
func TestOtherSettingsRefuseTheToken(t *testing.T) {
	refuse := func(t provider.Tokens) (reqinfo.Principal, error) {
		if t.Access == "alice 1" {
			return reqinfo.Principal{}, provider.ErrRefused
		}

		return alice(), nil
	}

	with(t, nil, func(_ *testing.T, s *site) {
		b := s.browser().login()
		s.reloads(refuse)
		b.shows("staff:alice with Bearer alice 2")
	})
	with(t, nil, func(_ *testing.T, s *site) {
		s.issuer.noRefresh = true
		b := s.browser().login()
		s.reloads(refuse)
		b.shows("anonymous")
	})
	with(t, func(c *config.Sessions) { c.Identity = config.IdentityIDToken }, func(_ *testing.T, s *site) {
		b := s.browser().login()
		s.reloads(refuse)
		b.shows("anonymous")
	})
}

// Someone with another name is someone else.
func TestOtherSettingsNameAnother(t *testing.T) {
	with(t, nil, func(_ *testing.T, s *site) {
		b := s.browser().login()
		s.reloads(func(provider.Tokens) (reqinfo.Principal, error) {
			return reqinfo.Principal{Subject: "alice", Issuer: theIssuer}, nil
		})
		b.shows("anonymous")
	})
}

// While nobody can say whether the settings accept the token, it is not used, and the user can log out.
func TestOtherSettingsWithoutKeys(t *testing.T) {
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		s.reloads(func(provider.Tokens) (reqinfo.Principal, error) { return reqinfo.Principal{}, provider.ErrUnavailable })

		if res := b.send(http.MethodGet, "/v1/orders"); res.Code != http.StatusServiceUnavailable {
			t.Errorf("a request: %d %s", res.Code, res.Body)
		}

		if res := b.send(http.MethodPost, LogoutPath, "X-Csrf", "1"); res.Code != http.StatusOK {
			t.Errorf("the logout: %d %s", res.Code, res.Body)
		}
	})
}

// Some providers revoke a whole session with a refresh token of it, which is then also that of a second login.
func TestLoginInTheSameSessionOfTheProvider(t *testing.T) {
	for name, tt := range map[string]struct {
		subject, sid string
		revoked      []string
	}{
		"same":          {"alice", "one", nil},
		"another":       {"alice", "two", []string{"refresh 1"}},
		"unknown":       {"alice", "", []string{"refresh 1"}},
		"of_other_user": {"bob", "one", []string{"refresh 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				s.issuer.sid = "one"
				b := s.browser().login()
				s.issuer.subject, s.issuer.sid = tt.subject, tt.sid
				b.login()
				synctest.Wait()

				if !slices.Equal(s.issuer.revoked, tt.revoked) {
					t.Errorf("revoked %q, want %q", s.issuer.revoked, tt.revoked)
				}
			})
		})
	}
}

// nonce is that of the only login.
func (i *issuer) nonce() string {
	for _, login := range i.begun {
		return login.Nonce
	}

	return ""
}

// A refreshed ID token is of the same login: with its nonce, or without one.
func TestNonceOfARefresh(t *testing.T) {
	const same = "the one of the login"

	for nonce, want := range map[string]string{
		"": "staff:alice with Bearer alice 2", same: "staff:alice with Bearer alice 2", "another": "anonymous",
	} {
		with(t, nil, func(_ *testing.T, s *site) {
			b := s.browser().login()

			if s.issuer.claims = map[string]any{"nonce": nonce}; nonce == same {
				s.issuer.claims["nonce"] = s.issuer.nonce()
			}

			time.Sleep(tokenLife)
			b.shows(want)
		})
	}
}

// Without "scope" in its response a refresh changes no scopes.
func TestScopesOfARefresh(t *testing.T) {
	with(t, func(c *config.Sessions) { c.Identity = config.IdentityIDToken }, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		s.issuer.scopes = []string{"granted"}

		var got []string

		s.identify = func(t provider.Tokens) error {
			got = t.Scopes

			return nil
		}
		b := s.browser().login()
		s.issuer.scopes = nil

		time.Sleep(tokenLife)
		b.shows("staff:alice with Bearer alice 2")

		if !slices.Equal(got, []string{"granted"}) {
			t.Errorf("got %q", got)
		}
	})
}

// The page that logs out gets an ID token that nobody takes for an access token.
func TestIDTokenOfALogout(t *testing.T) {
	for name, tt := range map[string]struct {
		claims map[string]any
		want   string
	}{
		"like_an_access_token": {nil, "id+1"},
		"with_at_hash":         {map[string]any{"at_hash": "x"}, "id+2"},
	} {
		with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
			b := s.browser().login()
			s.issuer.claims = tt.claims

			time.Sleep(tokenLife)
			b.shows("staff:alice with Bearer alice 2")

			if res := b.send(http.MethodPost, LogoutPath, "X-Csrf", "1"); !strings.Contains(res.Body.String(), "hint="+tt.want) {
				t.Errorf("%s: %s", name, res.Body)
			}
		})
	}
}
