// Package auth authenticates callers (Identify) and authorizes them (Require). Callers present signed access tokens (RFC 7519,
// RFC 9068) as bearer tokens (RFC 6750), API keys, client certificates, or the cookie of a session, which package session has.
//
// It issues no tokens (for development, devissuer and devprovider do), and it does not decide on data: whether a caller may see a
// certain order is for the order service to decide.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/resource"
)

// Deps are the collaborators of an Authenticator.
type Deps struct {
	Logger *slog.Logger
	// Files gets the state of the files that are watched. May be nil.
	Files filewatch.Observer
	// Custom are credentials that an embedding program verifies. Nil: there are none.
	Custom *Custom
	// Shared is what the Authenticator shares with others: the keys of issuers, and API keys. What runs in the background begins at
	// its commit, and ends with it instead of with the context. Nil: it shares nothing.
	Shared *resource.Lease
}

// ErrConfig is returned by New for issuers that cannot be trusted as they are configured.
var ErrConfig = errors.New("auth configuration")

// Faults in the configuration of an issuer, beyond those that package config finds.
var (
	errPrefix   = errors.New("subject prefix must be printable ASCII that does not begin with a space")
	errInsecure = errors.New("URL is not https: anyone who can change the response can sign in as anyone")
)

// Authenticator verifies credentials. It is safe for concurrent use.
type Authenticator struct {
	issuers      map[string]*issuer
	unverified   *jwt.Parser
	cache        *tokenCache
	keys         *apikey.Store // Nil: there are no API keys.
	keyHeader    string
	certificates certificates
	custom       *Custom // Nil: there is none.
	pending      pendingKeys
	running      sync.WaitGroup
}

// New returns an Authenticator that trusts what the configuration names, which must be valid; without any it refuses every
// credential. Files are read now. Keys at URLs are fetched in the background, now and at intervals until ctx ends, so that the
// gateway starts while an issuer is down.
func New(ctx context.Context, cfg config.Auth, deps Deps) (*Authenticator, error) {
	if deps.Shared != nil {
		return open(cfg, deps)
	}

	own := resource.NewSet().Lease()
	deps.Shared = own

	a, err := open(cfg, deps)
	if err != nil {
		return nil, errors.Join(err, own.Release())
	}

	own.Commit()
	a.running.Go(func() {
		<-ctx.Done()

		_ = own.Release() // Nothing of it returns an error.
	})

	return a, nil
}

func open(cfg config.Auth, deps Deps) (*Authenticator, error) {
	cache, err := newTokenCache(cfg.CacheTokens)
	if err != nil {
		return nil, fmt.Errorf("%w: cached tokens: %w", ErrConfig, err)
	}

	a := &Authenticator{
		issuers:    make(map[string]*issuer, len(cfg.Issuers)),
		unverified: jwt.NewParser(jwt.WithStrictDecoding()),
		cache:      cache,
		keyHeader:  cfg.APIKeys.Header,
		custom:     deps.Custom,
	}

	if a.certificates, err = newCertificates(cfg.Certificates); err != nil {
		return nil, err
	}

	watching := filewatch.Config{Logger: deps.Logger, Observer: deps.Files}

	if cfg.APIKeys.File != "" {
		watching.Setting, watching.Interval = "auth.api_keys.file", cfg.APIKeys.ReloadInterval
		if a.keys, err = takeAPIKeys(deps.Shared, cfg.APIKeys, watching); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}

	for n, i := range cfg.Issuers {
		watching.Setting, watching.Interval = fmt.Sprintf("auth.issuers[%d].jwks_file", n), i.RefreshInterval
		if err := a.add(i, watching, deps.Shared); err != nil {
			return nil, fmt.Errorf("%w: issuer %q: %w", ErrConfig, i.Issuer, err)
		}
	}

	if sessions := a.issuers[cfg.Sessions.Issuer]; sessions != nil {
		sessions.browserClient = cfg.Sessions.ClientID
	}

	deps.Shared.AtCommit(func() {
		deps.Shared.Background(func(ctx context.Context) { a.pending.run(ctx, cfg.KeysGrace, deps.Logger) })
	})

	return a, nil
}

func (a *Authenticator) add(cfg config.Issuer, files filewatch.Config, shared *resource.Lease) error {
	// A subject follows, so a trailing space is allowed.
	if !reqinfo.Plain(cfg.SubjectPrefix + "x") {
		return errPrefix
	}

	keys, err := takeKeys(shared, cfg, files)
	if err != nil {
		return err
	}

	added := newIssuer(cfg, keys)
	a.issuers[cfg.Issuer] = added
	a.pending.issuers = append(a.pending.issuers, added)

	return nil
}

// AwaitingKeys lists the issuers whose keys were never fetched, until the grace for that is over. Once it is empty it stays so.
func (a *Authenticator) AwaitingKeys() []string { return a.pending.names() }

// KeysFetched returns when the keys of each issuer were last fetched, even if they were the same. The zero time: never.
func (a *Authenticator) KeysFetched() map[string]time.Time {
	fetched := make(map[string]time.Time, len(a.issuers))

	for name, i := range a.issuers {
		fetched[name] = time.Time{}

		if at := i.keys.lastFetch.Load(); at != 0 {
			fetched[name] = time.Unix(0, at)
		}
	}

	return fetched
}

// Wait returns when nothing runs in the background any more, after the context of New has ended. It is for an Authenticator that
// shares nothing.
func (a *Authenticator) Wait() { a.running.Wait() }

// takeAPIKeys returns the keys of a file, which is read again when it changes.
func takeAPIKeys(shared *resource.Lease, cfg config.APIKeys, watching filewatch.Config) (*apikey.Store, error) {
	return resource.Take(shared, "API keys", resource.Key(cfg.File, cfg.ReloadInterval),
		func(own *resource.Lease) (*apikey.Store, error) {
			keys, err := apikey.Open(cfg.File)
			if err != nil {
				return nil, err
			}

			own.AtCommit(func() { own.Background(func(ctx context.Context) { keys.Run(ctx, watching) }) })

			return keys, nil
		})
}

// takeKeys returns the keys of an issuer, which are fetched as long as anyone uses them.
func takeKeys(shared *resource.Lease, cfg config.Issuer, files filewatch.Config) (*keySource, error) {
	setting := files.Setting
	if cfg.JWKSFile == "" {
		setting = ""
	}

	return resource.Take(shared, "issuer keys",
		resource.Key(cfg.Issuer, cfg.JWKSFile, cfg.JWKSURL, cfg.RefreshInterval, setting),
		func(own *resource.Lease) (*keySource, error) {
			keys, err := openKeys(cfg, files)
			if err != nil {
				return nil, err
			}

			own.AtCommit(func() { own.Background(keys.run) })

			return keys, nil
		})
}

func openKeys(cfg config.Issuer, files filewatch.Config) (*keySource, error) {
	var (
		set   keySet
		fetch fetchFunc
		err   error
	)

	switch {
	case cfg.JWKSFile != "":
		set, fetch, err = fromFile(cfg.JWKSFile, files)
	case cfg.JWKSURL != "":
		fetch, err = fromURL(cfg.JWKSURL)
	default:
		fetch, err = fromDiscovery(cfg.Issuer)
	}

	if err != nil {
		return nil, err
	}

	// Changes of files are logged where they are watched.
	logger := slog.New(slog.DiscardHandler)
	if cfg.JWKSFile == "" {
		logger = files.Logger.With("issuer", cfg.Issuer)
	}

	keys := newKeySource(fetch, cfg.RefreshInterval, logger)
	if set != nil {
		keys.replace(set)
	}

	return keys, nil
}
