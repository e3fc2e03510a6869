package bff

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
	"github.com/portico-gateway/portico/bff/internal/digest"
	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/resource"
)

// openSessions opens the sessions of browsers in a store; nil if there are none. The store, the keys and the connections to the
// provider outlive a generation.
func (c *Compiled) openSessions(
	ctx context.Context, with opening, store session.Store, authenticator *auth.Authenticator,
) (*session.Sessions, error) {
	cfg := c.config.Auth.Sessions
	if !cfg.On() {
		return nil, nil //nolint:nilnil // There are none.
	}

	keys, err := c.openSessionKeys(ctx, with)
	if err != nil {
		return nil, err
	}

	issuer, err := c.openProvider(ctx, with)
	if err != nil {
		return nil, err
	}

	opened, err := session.New(cfg, session.Deps{
		Store: store, Provider: issuer, Vault: keys, Identify: authenticator.BrowserIdentity(cfg),
		Settings: identitySettings(c.config.Auth), Patience: c.config.Server.RequestTimeout,
		TrustedOrigins: trustedOrigins(c.config.CORS), Logger: with.logger, Observer: with.metrics,
	})
	if err != nil {
		return nil, err
	}

	with.shared.AtEnd(opened.Close)

	return opened, nil
}

// identitySettings is a digest of the settings by which the tokens of a session identify a caller.
func identitySettings(cfg config.Auth) string {
	s := cfg.Sessions
	entries := slices.DeleteFunc(slices.Clone(cfg.Issuers), func(i config.Issuer) bool { return i.Issuer != s.Issuer })

	return digest.Buffer{}.Texts(resource.Key(s.Identity, s.ClientID, s.Claims, s.SubjectPrefix, entries)).Hash()
}

// trustedOrigins are those whose pages may change something with the sessions of their browsers.
func trustedOrigins(cfg config.CORS) []string {
	if !cfg.AllowCredentials {
		return nil
	}

	return slices.DeleteFunc(slices.Clone(cfg.AllowedOrigins), func(origin string) bool { return strings.Contains(origin, "*") })
}

// openProvider returns the provider, with connections and what it has said of itself.
func (c *Compiled) openProvider(ctx context.Context, with opening) (*provider.Provider, error) {
	cfg := c.config.Auth.Sessions

	return resource.Take(with.shared, "OpenID provider",
		resource.Key(cfg.Issuer, cfg.ClientID, cfg.ClientSecret, cfg.ClientSecretFile, cfg.ClientAuth, cfg.Scopes,
			cfg.AuthorizationParameters),
		func(own *resource.Lease) (*provider.Provider, error) {
			with.shared = own

			secret, err := c.openSecret(ctx, with, "auth.sessions.client_secret_file", cfg.ClientSecretFile, nil)
			if err != nil {
				return nil, err
			}

			if secret == nil {
				secret = func() string { return cfg.ClientSecret }
			}

			opened := provider.New(cfg, secret)
			own.AtEnd(opened.Close)

			return opened, nil
		})
}

// openSessionKeys returns the keys as of now. Without any in the configuration, there is one as long as the gateway runs.
func (c *Compiled) openSessionKeys(ctx context.Context, with opening) (func() *vault.Vault, error) {
	cfg := c.config.Auth.Sessions

	return resource.Take(with.shared, "session keys", resource.Key(cfg.Keys, cfg.KeysFile),
		func(own *resource.Lease) (func() *vault.Vault, error) {
			if cfg.KeysFile == "" {
				made, err := newVault(cfg.Keys)

				return func() *vault.Vault { return made }, err
			}

			file, err := vault.Open(cfg.KeysFile)
			if err != nil {
				return nil, &config.Fault{Path: "auth.sessions.keys_file", Err: err}
			}

			watching := with.watching(ctx, "auth.sessions.keys_file")
			own.AtCommit(func() { own.Background(func(ctx context.Context) { file.Watch(ctx, watching) }) })

			return file.Vault, nil
		})
}

func newVault(list []string) (*vault.Vault, error) {
	if len(list) == 0 {
		return vault.Random()
	}

	keys, err := config.ParseSessionKeys(list)
	if err != nil {
		return nil, &config.Fault{Path: "auth.sessions.keys", Err: err}
	}

	made, err := vault.New(keys)
	if err != nil {
		return nil, fmt.Errorf("auth.sessions.keys: %w", err)
	}

	return made, nil
}

// checkSessionCookie adds a fault for each route whose policy passes the cookies of sessions to backends.
func (c *Compiled) checkSessionCookie(faults *optionFaults) {
	if !c.config.Auth.Sessions.On() {
		return
	}

	for _, r := range c.routes {
		for _, h := range r.Policy.Headers {
			if strings.EqualFold(h.Name, "Cookie") {
				faults.addf("auth.sessions: route %s (%s) sets the field %s from %s, which carries sessions",
					r, r.RPC, h.Field, h.Name)
			}
		}
	}
}

// sessionPages are the pages for logins. Without sessions that are open they are only for finding out which routes they hide.
func (c *Compiled) sessionPages(s *session.Sessions) []pages.Page {
	if !c.config.Auth.Sessions.On() || c.config.Auth.Disabled {
		return nil
	}

	post := []string{http.MethodPost}

	return []pages.Page{
		{Path: session.LoginPath, Handler: http.HandlerFunc(s.Login), NoHead: true},
		{Path: session.CallbackPath, Handler: http.HandlerFunc(s.Callback), NoHead: true},
		{Path: session.StatePath, Handler: http.HandlerFunc(s.State)},
		{Path: session.LogoutPath, Handler: http.HandlerFunc(s.Logout), Methods: post},
		{Path: session.BackchannelPath, Handler: http.HandlerFunc(s.Backchannel), Methods: post},
	}
}
