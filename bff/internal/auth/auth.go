// Package auth finds out who calls (Identify) and decides whether they may (Require). Callers show signed access tokens (RFC 7519,
// RFC 9068) as bearer tokens (RFC 6750), API keys or client certificates.
//
// It issues no tokens (for development, devissuer does), it knows no sessions or cookies, and it does not decide on data: that a
// caller may see an order at all is the business of the order service.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Defaults of an Issuer.
const (
	DefaultRefreshInterval = 5 * time.Minute
	DefaultLeeway          = 30 * time.Second
)

// DefaultCacheTokens is the default of Config.CacheTokens.
const DefaultCacheTokens = 10_000

// Config says whose credentials are accepted.
type Config struct {
	Issuers []Issuer
	// CacheTokens is how many verified tokens are remembered. Zero: DefaultCacheTokens.
	CacheTokens  int
	APIKeys      APIKeys
	Certificates []Certificate
}

// APIKeys are the keys of machine clients.
type APIKeys struct {
	// File lists them. Empty: there are none, and the header means nothing.
	File string
	// Header carries a key.
	Header string
	// ReloadInterval is how often the file is looked at.
	ReloadInterval time.Duration
}

// ErrConfig is what New returns for issuers that cannot be trusted as they are configured.
var ErrConfig = errors.New("auth configuration")

// What can be wrong with the configuration of an issuer.
var (
	errTwice     = errors.New("is configured twice")
	errName      = errors.New("has no name")
	errAudiences = errors.New("needs audiences, none of them empty")
	errPrefix    = errors.New("subject prefix must be printable ASCII that does not begin with a space")
	errAlgorithm = errors.New("algorithm is not supported")
	errKeyPlace  = errors.New("has both a key file and a key URL")
	errInsecure  = errors.New("URL is not https: whoever can change the answer can sign in as anyone")
)

// Issuer is a party whose tokens are accepted, and where its public keys are.
type Issuer struct {
	// Issuer is its name, exactly as in the "iss" claim of its tokens.
	Issuer string
	// Audiences are the names of this gateway. A token must be meant for one of them.
	Audiences []string
	// Algorithms are the signature algorithms to accept: RS256, PS256, ES256, ES384, EdDSA. Empty: all of these.
	Algorithms []string
	// TokenTypes are the types of tokens ("typ", RFC 7515, section 4.1.9) to accept; an empty string stands for tokens without one.
	// Empty: DefaultTokenTypes.
	TokenTypes []string
	// JWKSFile or JWKSURL holds the keys as a JSON Web Key Set (RFC 7517). With neither, they are found by OpenID Connect
	// Discovery. URLs must be https, or lead to this machine.
	JWKSFile string
	JWKSURL  string
	// RefreshInterval is how often keys are fetched, unless the issuer says that they hold for less. Zero: DefaultRefreshInterval.
	RefreshInterval time.Duration
	// Leeway is how far clocks may be apart. Zero: DefaultLeeway.
	Leeway time.Duration
	// Claims are the names of the claims that say what the gateway wants to know.
	Claims Claims
	// RequiredClaims must be in a token, with one of these values, or with any if none are listed.
	RequiredClaims map[string][]string
	// SubjectPrefix is put before the subjects of this issuer.
	SubjectPrefix string
}

// Authenticator verifies credentials. It is safe for concurrent use.
type Authenticator struct {
	issuers      map[string]*issuer
	unverified   *jwt.Parser
	cache        *tokenCache
	keys         *apikey.Store // Nil: there are no API keys.
	keyHeader    string
	certificates certificates
	running      sync.WaitGroup
}

// New returns an Authenticator that trusts what the configuration names; with nothing it refuses every credential. Files are read
// now. Keys at URLs are fetched in the background, now and at intervals until ctx ends, so that the gateway starts while an issuer
// is down.
func New(ctx context.Context, config Config, logger *slog.Logger) (*Authenticator, error) {
	if config.CacheTokens == 0 {
		config.CacheTokens = DefaultCacheTokens
	}

	cache, err := newTokenCache(config.CacheTokens)
	if err != nil {
		return nil, fmt.Errorf("%w: cached tokens: %w", ErrConfig, err)
	}

	a := &Authenticator{
		issuers:    make(map[string]*issuer, len(config.Issuers)),
		unverified: jwt.NewParser(jwt.WithStrictDecoding()),
		cache:      cache,
		keyHeader:  config.APIKeys.Header,
	}

	if a.certificates, err = newCertificates(config.Certificates); err != nil {
		return nil, err
	}

	if config.APIKeys.File != "" {
		if a.keys, err = apikey.Open(config.APIKeys.File); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}

	for _, i := range config.Issuers {
		if err := a.add(i, logger); err != nil {
			return nil, fmt.Errorf("%w: issuer %q: %w", ErrConfig, i.Issuer, err)
		}
	}

	// Not before everything is known to be sound: an error leaves nothing running.
	for _, i := range a.issuers {
		a.running.Go(func() { i.keys.run(ctx) })
	}

	if a.keys != nil {
		a.running.Go(func() { a.keys.Run(ctx, config.APIKeys.ReloadInterval, logger) })
	}

	return a, nil
}

func (a *Authenticator) add(config Issuer, logger *slog.Logger) error {
	if a.issuers[config.Issuer] != nil {
		return errTwice
	}

	if err := config.check(); err != nil {
		return err
	}

	keys, err := openKeys(config, logger)
	if err != nil {
		return err
	}

	a.issuers[config.Issuer] = newIssuer(config, keys)

	return nil
}

// Wait returns when nothing runs in the background any more, after the context that New was given has ended.
func (a *Authenticator) Wait() { a.running.Wait() }

func openKeys(config Issuer, logger *slog.Logger) (*keySource, error) {
	var (
		fetch fetchFunc
		err   error
	)

	switch {
	case config.JWKSFile != "" && config.JWKSURL != "":
		return nil, errKeyPlace
	case config.JWKSFile != "":
		fetch = fromFile(config.JWKSFile)
	case config.JWKSURL != "":
		fetch, err = fromURL(config.JWKSURL)
	default:
		fetch, err = fromDiscovery(config.Issuer)
	}

	if err != nil {
		return nil, err
	}

	keys := newKeySource(fetch, config.RefreshInterval, logger.With("issuer", config.Issuer))

	if config.JWKSFile != "" {
		set, err := readKeys(config.JWKSFile)
		if err != nil {
			return nil, err
		}

		keys.replace(set)
	}

	return keys, nil
}

// check tells what is wrong with the names in the configuration.
func (i Issuer) check() error {
	if i.Issuer == "" {
		return errName
	}

	if len(i.Audiences) == 0 || slices.Contains(i.Audiences, "") {
		return errAudiences
	}

	// A subject follows, so a space at its end is none at an end.
	if !reqinfo.Plain(i.SubjectPrefix + "x") {
		return errPrefix
	}

	for _, alg := range i.Algorithms {
		if !slices.Contains(supported(), alg) {
			return fmt.Errorf("%w: %q is not one of %q", errAlgorithm, alg, supported())
		}
	}

	return nil
}
