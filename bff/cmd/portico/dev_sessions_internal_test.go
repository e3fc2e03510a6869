package main

import (
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

func TestSessionsFor(t *testing.T) {
	t.Parallel()

	const issuer = "http://localhost:8084/portico-dev"

	for name, row := range map[string]struct {
		change         func(c *config.Config)
		provider       string
		issuer, public string
	}{
		"default":           {func(*config.Config) {}, issuer, issuer, ""},
		"all_addresses":     {func(c *config.Config) { c.Server.Address = ":8080" }, issuer, issuer, "http://localhost:8080"},
		"tls":               {func(c *config.Config) { c.Server.Address, c.Server.TLS.CertFile = ":443", "x" }, issuer, issuer, "https://localhost:443"},
		"an_unknown_port":   {func(c *config.Config) { c.Server.Address = ":0" }, issuer, "", ""},
		"another_host":      {func(c *config.Config) { c.Server.Address = "192.0.2.1:8080" }, issuer, "", ""},
		"a_socket":          {func(c *config.Config) { c.Server.Address = "unix:/x" }, issuer, "", ""},
		"a_public_url":      {func(c *config.Config) { c.Server.Address, c.Auth.Sessions.PublicURL = "unix:/x", "https://x" }, issuer, issuer, "https://x"},
		"no_access_control": {func(c *config.Config) { c.Auth.Disabled = true }, issuer, "", ""},
		"another_provider":  {func(c *config.Config) { c.Auth.Sessions.Issuer = "https://y" }, issuer, "https://y", ""},
		"a_host_of_its_own": {func(*config.Config) {}, "http://devbox:8084/portico-dev", "", ""},
	} {
		cfg := config.Config{}.WithDefaults()
		row.change(&cfg)

		s := sessionsFor(cfg, row.provider)
		if s.Issuer != row.issuer || s.PublicURL != row.public {
			t.Errorf("%s: issuer %q at %q", name, s.Issuer, s.PublicURL)
		}

		if ours := s.Issuer == row.provider; ours != (s.ClientID == devprovider.ClientID) {
			t.Errorf("%s: client %q", name, s.ClientID)
		}
	}
}

func TestSessionsForKeepsWhatIsSet(t *testing.T) {
	t.Parallel()

	cfg := config.Config{}.WithDefaults()
	cfg.Redis.Addresses = []string{"127.0.0.1:6379"}
	cfg.Auth.Sessions.Scopes = []string{"openid", "email"}

	s := sessionsFor(cfg, "http://localhost:8084/portico-dev")
	if len(s.Scopes) != 2 {
		t.Errorf("scopes: %v", s.Scopes)
	}

	if keys, err := config.ParseSessionKeys(s.Keys); len(keys) != 1 || err != nil {
		t.Errorf("keys for Redis: %v", err)
	}

	cfg.Auth.Sessions.KeysFile = "x"

	if s := sessionsFor(cfg, "http://localhost:8084/portico-dev"); len(s.Keys) != 0 {
		t.Error("keys beside a file of keys")
	}
}

// The provider knows the gateway's pages by their paths.
func TestPathsOfTheProviderAreThoseOfTheGateway(t *testing.T) {
	t.Parallel()

	if devprovider.CallbackPath != session.CallbackPath {
		t.Errorf("%s and %s", devprovider.CallbackPath, session.CallbackPath)
	}
}
