// Package auth finds out who calls (Identify) and decides whether they may (Require). Callers show signed access tokens (RFC 7519,
// RFC 9068) as bearer tokens (RFC 6750).
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
)

// Defaults of an Issuer.
const (
	DefaultRefreshInterval = 5 * time.Minute
	DefaultLeeway          = 30 * time.Second
)

// ErrConfig is what New returns for issuers that cannot be trusted as they are configured.
var ErrConfig = errors.New("auth configuration")

// What can be wrong with the configuration of an issuer.
var (
	errName      = errors.New("has no name")
	errAudiences = errors.New("needs audiences, none of them empty")
	errAlgorithm = errors.New("algorithm is not supported")
	errKeyPlace  = errors.New("needs a key file or a key URL, and not both")
	errInsecure  = errors.New("key URL is not https: whoever can change the answer can sign in as anyone")
)

// Issuer is a party whose tokens are accepted, and where its public keys are.
type Issuer struct {
	// Issuer is its name, exactly as in the "iss" claim of its tokens.
	Issuer string
	// Audiences are the names of this gateway. A token must be meant for one of them.
	Audiences []string
	// Algorithms are the signature algorithms to accept: RS256, PS256, ES256, ES384, EdDSA. Empty: all of these.
	Algorithms []string
	// JWKSFile or JWKSURL, one of the two, holds the keys as a JSON Web Key Set (RFC 7517). A file is read once. A URL must be
	// https, or lead to this machine.
	JWKSFile string
	JWKSURL  string
	// RefreshInterval is how often keys are fetched from the URL. Zero: DefaultRefreshInterval.
	RefreshInterval time.Duration
	// Leeway is how far clocks may be apart. Zero: DefaultLeeway.
	Leeway time.Duration
}

// Authenticator verifies the tokens of some issuers. It is safe for concurrent use.
type Authenticator struct {
	issuers    map[string]*issuer
	unverified *jwt.Parser
	running    sync.WaitGroup
}

// New returns an Authenticator that trusts the issuers; with none it refuses every token. Keys in files are read now. Keys at URLs
// are fetched in the background, now and at intervals until ctx ends, so that the gateway starts while an issuer is down.
func New(ctx context.Context, issuers []Issuer, logger *slog.Logger) (*Authenticator, error) {
	a := &Authenticator{
		issuers:    make(map[string]*issuer, len(issuers)),
		unverified: jwt.NewParser(jwt.WithStrictDecoding()),
	}

	var remotes []*remoteKeys

	for _, config := range issuers {
		if a.issuers[config.Issuer] != nil {
			return nil, fmt.Errorf("%w: issuer %q is configured twice", ErrConfig, config.Issuer)
		}

		keys, err := openKeys(config, logger)
		if err != nil {
			return nil, fmt.Errorf("%w: issuer %q: %w", ErrConfig, config.Issuer, err)
		}

		if a.issuers[config.Issuer], err = newIssuer(config, keys); err != nil {
			return nil, fmt.Errorf("%w: issuer %q: %w", ErrConfig, config.Issuer, err)
		}

		if remote, ok := keys.(*remoteKeys); ok {
			remotes = append(remotes, remote)
		}
	}

	// Not before all issuers are known to be sound: an error leaves nothing running.
	for _, remote := range remotes {
		a.running.Go(func() { remote.run(ctx) })
	}

	return a, nil
}

// Wait returns when nothing runs in the background any more, after the context that New was given has ended.
func (a *Authenticator) Wait() { a.running.Wait() }

// keySource is where the keys of an issuer come from. It is safe for concurrent use.
type keySource interface {
	// current returns the keys as they are known; nil before any are.
	current() keySet
	// renewed returns the keys after they have been fetched again, if that may be done now. It blocks for a bounded time.
	renewed(ctx context.Context) keySet
}

func openKeys(config Issuer, logger *slog.Logger) (keySource, error) {
	switch {
	case (config.JWKSFile == "") == (config.JWKSURL == ""):
		return nil, errKeyPlace
	case config.JWKSFile != "":
		return readKeys(config.JWKSFile)
	default:
		return newRemoteKeys(config.JWKSURL, config.RefreshInterval, logger)
	}
}

// check tells what is wrong with the names in the configuration.
func (i Issuer) check() error {
	if i.Issuer == "" {
		return errName
	}

	if len(i.Audiences) == 0 || slices.Contains(i.Audiences, "") {
		return errAudiences
	}

	for _, alg := range i.Algorithms {
		if !slices.Contains(supported(), alg) {
			return fmt.Errorf("%w: %q is not one of %q", errAlgorithm, alg, supported())
		}
	}

	return nil
}
