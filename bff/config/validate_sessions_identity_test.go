package config_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// What is wrong with who calls in a session.
func TestIdentityOfSessions(t *testing.T) {
	t.Parallel()

	const issuer = "https://login.example"

	for name, tt := range map[string]struct {
		change func(*config.Auth)
		want   string
	}{
		"fits": {func(*config.Auth) {}, ""},
		"no_entry": {
			func(a *config.Auth) { a.Sessions.Issuer = "https://other.example" },
			"auth.sessions.issuer: has no entry in auth.issuers, by which its access tokens are verified: add one, or set",
		},
		"slash_of_sessions": {
			func(a *config.Auth) { a.Sessions.Issuer += "/" },
			"auth.sessions.issuer: differs from auth.issuers[0].issuer by the slash at the end alone",
		},
		"slash_of_the_entry": {
			func(a *config.Auth) { a.Issuers[0].Issuer += "/" },
			"auth.sessions.issuer: differs from auth.issuers[0].issuer by the slash at the end alone",
		},
		"claims_without_effect": {
			func(a *config.Auth) { a.Sessions.Claims.Roles = "groups" },
			"auth.sessions.claims: are those of auth.issuers, unless identity is id_token",
		},
		"claims_of_id_tokens": {func(a *config.Auth) {
			a.Sessions.Identity, a.Sessions.Claims.Roles = config.IdentityIDToken, "groups"
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := config.Config{}
			c.Auth.Issuers = []config.Issuer{{Issuer: issuer, Audiences: []string{"a"}}}
			c.Auth.Sessions = config.Sessions{Issuer: issuer, ClientID: "portico", PublicURL: "https://app.example"}
			tt.change(&c.Auth)

			err := errorText(c.WithDefaults().Validate())
			if got := strings.Contains(err, "auth.sessions"); got != (tt.want != "") || !strings.Contains(err, tt.want) {
				t.Errorf("%s", err)
			}
		})
	}
}
