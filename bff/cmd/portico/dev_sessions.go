package main

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"net/url"
	"slices"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

// sessionsFor are the settings by which users log in at the development provider, unless the configuration names another provider.
// They stay off where they could not work: without access control, and where browsers would not keep a cookie that needs a secure
// connection.
func sessionsFor(cfg config.Config, issuer string) config.Sessions {
	s := cfg.Auth.Sessions
	at, err := url.Parse(issuer)

	if err != nil || s.On() || s.ClientID != "" || cfg.Auth.Disabled || !config.IsLoopback(at.Hostname()) {
		return s
	}

	if s.PublicURL == "" && !isLoopback(hostOf(cfg.Server.Address)) {
		if s.PublicURL = publicURL(cfg.Server); s.PublicURL == "" {
			return s
		}
	}

	s.Issuer, s.ClientID, s.ClientSecret = issuer, devprovider.ClientID, devprovider.ClientSecret

	// The default.
	if slices.Equal(s.Scopes, []string{"openid"}) {
		s.Scopes = devprovider.Scopes()
	}

	// Sessions in Redis end with this process.
	if cfg.Redis.On() && len(s.Keys) == 0 && s.KeysFile == "" {
		const keyBytes = 32

		key := make([]byte, keyBytes)
		_, _ = rand.Read(key) // It never fails.
		s.Keys = []string{base64.StdEncoding.EncodeToString(key)}
	}

	return s
}

// publicURL is where a browser on this machine finds a gateway that listens on all its addresses; empty if it does not, or if the
// port is not known yet.
func publicURL(server config.Server) string {
	_, port, err := net.SplitHostPort(server.Address)
	if err != nil || hostOf(server.Address) != "" || port == "0" {
		return ""
	}

	scheme := "http"
	if server.TLS.CertFile != "" {
		scheme = "https"
	}

	return scheme + "://" + net.JoinHostPort(localhost, port)
}
