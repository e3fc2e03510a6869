package config_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// A backend that knew the cookie of a session could call as its user.
func TestCookiesStayWhereThereAreSessions(t *testing.T) {
	t.Parallel()

	for issuer, refused := range map[string]bool{"https://login.example.com": true, "": false} {
		c := config.Config{Headers: config.Headers{Request: []string{"cookie"}}}
		c.Auth.Sessions.Issuer = issuer

		err := c.WithDefaults().Validate()
		if got := strings.Contains(err.Error(), "headers.request[0]: carries sessions, which stay at the gateway"); got != refused {
			t.Errorf("issuer %q: %v", issuer, err)
		}
	}
}
