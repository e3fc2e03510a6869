package bff

import (
	"context"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
	"github.com/portico-gateway/portico/bff/internal/secret"
)

// longLifetime is longer than users should stay logged in (NIST SP 800-63B-4, section 2.1.3).
const longLifetime = 30 * 24 * time.Hour

// sessions reads the files of the sessions of browsers, and looks at their settings.
func (f *Findings) sessions(cfg config.Auth) {
	s := cfg.Sessions
	if !s.On() || cfg.Disabled {
		return
	}

	if s.KeysFile != "" {
		if _, err := vault.Open(s.KeysFile); err != nil {
			f.faultf("auth.sessions.keys_file", "%w", err)
		}
	}

	if s.ClientSecretFile != "" {
		if _, err := secret.Open(s.ClientSecretFile, nil); err != nil {
			f.faultf("auth.sessions.client_secret_file", "%w", err)
		}
	}

	if s.MaxLifetime > longLifetime {
		f.warnf("auth.sessions.max_lifetime", "is longer than 30 days: a browser that was stolen stays logged in for as long")
	}

	if s.ClientSecret == "" && s.ClientSecretFile == "" {
		f.warnf("auth.sessions.client_secret", "is not set: a stolen code or refresh token can be used without the gateway")
	}
}

// sessions asks the provider for its discovery document.
func (o *online) sessions(ctx context.Context, cfg config.Sessions) {
	asked := provider.New(cfg, nil)
	defer asked.Close() //nolint:errcheck // It never fails.

	text, err := asked.Check(ctx)
	o.add("auth.sessions.issuer", text, err)
}
