// Package auth finds out who calls (Identify) and decides whether they may (Require). Callers show signed access tokens (RFC 7519,
// RFC 9068) as bearer tokens (RFC 6750), API keys or client certificates.
//
// It issues no tokens (for development, devissuer does), it knows no sessions or cookies, and it does not decide on data: that a
// caller may see an order at all is the business of the order service.
package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Defaults of an Issuer.
const (
	DefaultRefreshInterval = 5 * time.Minute
	DefaultLeeway          = 30 * time.Second
)

// DefaultKeysGrace is the default of Config.KeysGrace: what an issuer that starts together with the gateway should need.
const DefaultKeysGrace = 30 * time.Second

// DefaultCacheTokens is the default of Config.CacheTokens.
const DefaultCacheTokens = 10_000

// Config says whose credentials are accepted.
type Config struct {
	Issuers []Issuer
	// CacheTokens is how many verified tokens are remembered. Zero: DefaultCacheTokens.
	CacheTokens  int
	APIKeys      APIKeys
	Certificates []Certificate
	// Custom are credentials that an embedding program verifies. Nil: there are none.
	Custom *Custom
	// KeysGrace is how long AwaitingKeys tells of issuers whose keys were never had. Zero: DefaultKeysGrace.
	KeysGrace time.Duration
	// Files is told the state of the files that are watched. It may be nil.
	Files filewatch.Observer
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
	custom       *Custom // Nil: there is none.
	waiting      waiting
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
		custom:     config.Custom,
	}

	if a.certificates, err = newCertificates(config.Certificates); err != nil {
		return nil, err
	}

	if config.APIKeys.File != "" {
		if a.keys, err = apikey.Open(config.APIKeys.File); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}

	for n, i := range config.Issuers {
		files := filewatch.Config{
			Setting: fmt.Sprintf("auth.issuers[%d].jwks_file", n), Interval: cmp.Or(i.RefreshInterval, DefaultRefreshInterval),
			Logger: logger, Observer: config.Files,
		}
		if err := a.add(i, files); err != nil {
			return nil, fmt.Errorf("%w: issuer %q: %w", ErrConfig, i.Issuer, err)
		}
	}

	// Not before everything is known to be sound: an error leaves nothing running.
	for _, i := range a.issuers {
		a.running.Go(func() { i.keys.run(ctx) })
	}

	if a.keys != nil {
		files := filewatch.Config{
			Setting: "auth.api_keys.file", Interval: config.APIKeys.ReloadInterval, Logger: logger, Observer: config.Files,
		}

		a.running.Go(func() { a.keys.Run(ctx, files) })
	}

	a.running.Go(func() { a.waiting.run(ctx, cmp.Or(config.KeysGrace, DefaultKeysGrace), logger) })

	return a, nil
}

func (a *Authenticator) add(config Issuer, files filewatch.Config) error {
	if a.issuers[config.Issuer] != nil {
		return errTwice
	}

	if err := config.check(); err != nil {
		return err
	}

	keys, err := openKeys(config, files)
	if err != nil {
		return err
	}

	a.issuers[config.Issuer] = newIssuer(config, keys)
	a.waiting.add(config.Issuer, keys)

	return nil
}

// AwaitingKeys lists the issuers whose keys were never had so far, while the grace for that is not over. Once it is empty it
// stays so.
func (a *Authenticator) AwaitingKeys() []string { return a.waiting.names() }

// Wait returns when nothing runs in the background any more, after the context that New was given has ended.
func (a *Authenticator) Wait() { a.running.Wait() }

func openKeys(config Issuer, files filewatch.Config) (*keySource, error) {
	var (
		set   keySet
		fetch fetchFunc
		err   error
	)

	switch {
	case config.JWKSFile != "" && config.JWKSURL != "":
		return nil, errKeyPlace
	case config.JWKSFile != "":
		set, fetch, err = fromFile(config.JWKSFile, files)
	case config.JWKSURL != "":
		fetch, err = fromURL(config.JWKSURL)
	default:
		fetch, err = fromDiscovery(config.Issuer)
	}

	if err != nil {
		return nil, err
	}

	// What becomes of files is logged where they are watched.
	logger := slog.New(slog.DiscardHandler)
	if config.JWKSFile == "" {
		logger = files.Logger.With("issuer", config.Issuer)
	}

	keys := newKeySource(fetch, config.RefreshInterval, logger)
	if set != nil {
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
