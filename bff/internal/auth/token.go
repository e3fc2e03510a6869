package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Causes for the log. A client never learns which it was.
var (
	errUnknownIssuer = errors.New("issuer is not configured")
	// errNoKeys is not the fault of the token: the keys of its issuer could not be fetched yet.
	errNoKeys = errors.New("no keys of the issuer are known yet")
)

type issuer struct {
	name     string
	keys     *keySource
	parser   *jwt.Parser
	leeway   time.Duration
	types    []string // Of tokens, as mediaType returns them.
	claims   config.Claims
	required map[string][]string
	prefix   string
	// browserClient is the client that browsers log in by at this issuer. Empty: there is none.
	browserClient string
}

func newIssuer(cfg config.Issuer, keys *keySource) *issuer {
	return &issuer{
		name: cfg.Issuer, keys: keys, leeway: cfg.Leeway, claims: cfg.Claims, required: cfg.RequiredClaims,
		prefix: cfg.SubjectPrefix, types: mediaTypes(cfg.TokenTypes),
		parser: jwt.NewParser(
			jwt.WithValidMethods(cfg.Algorithms),
			jwt.WithIssuer(cfg.Issuer),
			jwt.WithAudience(cfg.Audiences...),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(cfg.Leeway),
			jwt.WithStrictDecoding(),
		),
	}
}

// verified is the content of a valid token. All requests with the token share it, so it must not be changed.
type verified struct {
	principal reqinfo.Principal
	// expires is when the token does, without leeway.
	expires time.Time
	// certificate is the thumbprint of the client certificate that the token is bound to. Empty: it is bound to none.
	certificate string
}

// verify returns the caller that a token identifies. The error is for the log.
func (a *Authenticator) verify(ctx context.Context, token string) (verified, error) {
	now := time.Now()

	if known, ok := a.cache.find(token, now); ok {
		return known.verified, known.err
	}

	if strings.ContainsFunc(token, notInToken) {
		return verified{}, errNotBearer
	}

	result := a.verifyNew(ctx, token)
	a.cache.add(token, result, now)

	return result.verified, result.err
}

// verifyNew verifies a token that is not in the cache.
func (a *Authenticator) verifyNew(ctx context.Context, token string) verification {
	if err := checkForm(token); err != nil {
		return verification{err: fmt.Errorf("parse token: %w", err)}
	}

	// Claims are a map, because a struct would take "SUB" for "sub" (encoding/json); claim names are case-sensitive.
	unverified := jwt.MapClaims{}
	if _, _, err := a.unverified.ParseUnverified(token, unverified); err != nil {
		return verification{err: fmt.Errorf("parse token: %w", err)}
	}

	// Only to choose whose keys to try. The issuer is believed when its signature has been verified.
	name, err := unverified.GetIssuer()
	if err != nil {
		return verification{err: fmt.Errorf("parse token: %w", err)}
	}

	known := a.issuers[name]
	if known == nil {
		return verification{err: fmt.Errorf("%w: %.100q", errUnknownIssuer, name)}
	}

	return known.verify(ctx, token)
}

func (i *issuer) verify(ctx context.Context, token string) verification {
	v := verification{issuer: i}

	claims := jwt.MapClaims{}
	if _, err := i.parser.ParseWithClaims(token, claims, i.keyFunc(ctx, &v)); err != nil {
		v.err = fmt.Errorf("verify token of %s: %w", i.name, err)
		return v
	}

	if v.verified, v.err = i.parse(claims); v.err != nil {
		return v
	}

	// It was parsed already, so it is there.
	expires, err := claims.GetExpirationTime()
	if err != nil {
		v.err = fmt.Errorf("verify token of %s: %w", i.name, err)
		return v
	}

	v.verified.expires, v.until = expires.Time, expires.Add(i.leeway)

	return v
}

// keyFunc chooses the key by the header of a token, if that is one of an access token. Keys or locations of keys in the header
// ("jwk", "jku", "x5c", "x5u") are ignored: a forger can choose them.
//
// The result gets the generation of the keys from before the choice, so that it ends with them.
func (i *issuer) keyFunc(ctx context.Context, v *verification) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		if err := checkHeader(token.Header, i.types); err != nil {
			return nil, err
		}

		kid, err := keyID(token.Header)
		if err != nil {
			return nil, err
		}

		v.generation = i.keys.generation.Load()
		set, current := i.keys.current(), true

		if set == nil || kid != "" && !set.has(kid) {
			set, current = i.keys.renewed(ctx, kid)
			v.generation = i.keys.generation.Load()
		}

		// An unknown key may be one that could not be fetched.
		if set == nil || !current && kid != "" && !set.has(kid) {
			return nil, errNoKeys
		}

		return set.choose(kid, token.Method.Alg())
	}
}
