package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Causes for the log. A client never learns which it was.
var (
	errUnknownIssuer = errors.New("issuer is not configured")
	errCritical      = errors.New(`header "crit" is not supported`)
	errKeyID         = errors.New(`header "kid" is not a string`)
	// errNoKeys is not the fault of the token: the keys of its issuer could not be fetched yet.
	errNoKeys = errors.New("no keys of the issuer are known yet")
)

// issuer is an Issuer ready to verify tokens.
type issuer struct {
	name   string
	keys   keySource
	parser *jwt.Parser
}

func newIssuer(config Issuer, keys keySource) (*issuer, error) {
	if err := config.check(); err != nil {
		return nil, err
	}

	algorithms := config.Algorithms
	if len(algorithms) == 0 {
		algorithms = supported()
	}

	leeway := config.Leeway
	if leeway == 0 {
		leeway = DefaultLeeway
	}

	return &issuer{name: config.Issuer, keys: keys, parser: jwt.NewParser(
		jwt.WithValidMethods(algorithms),
		jwt.WithIssuer(config.Issuer),
		jwt.WithAudience(config.Audiences...),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
		jwt.WithStrictDecoding(),
	)}, nil
}

// verify returns whom a token stands for. The error is for the log.
func (a *Authenticator) verify(ctx context.Context, token string) (reqinfo.Principal, error) {
	// Claims are a map, because a struct would take "SUB" for "sub" (encoding/json); claim names are case-sensitive.
	unverified := jwt.MapClaims{}
	if _, _, err := a.unverified.ParseUnverified(token, unverified); err != nil {
		return reqinfo.Principal{}, fmt.Errorf("parse token: %w", err)
	}

	// Only to choose whose keys to try. The issuer is believed when its signature has been verified.
	name, err := unverified.GetIssuer()
	if err != nil {
		return reqinfo.Principal{}, fmt.Errorf("parse token: %w", err)
	}

	known := a.issuers[name]
	if known == nil {
		return reqinfo.Principal{}, fmt.Errorf("%w: %.100q", errUnknownIssuer, name)
	}

	claims := jwt.MapClaims{}
	if _, err := known.parser.ParseWithClaims(token, claims, known.keyFunc(ctx)); err != nil {
		return reqinfo.Principal{}, fmt.Errorf("verify token of %s: %w", name, err)
	}

	return known.principal(claims)
}

// keyFunc chooses the key by the header of a token. Of the header only "alg", "kid" and "crit" are read; keys or places of keys
// that it names ("jwk", "jku", "x5c", "x5u") are the word of whoever made the token.
func (i *issuer) keyFunc(ctx context.Context) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		if _, ok := token.Header["crit"]; ok {
			return nil, errCritical
		}

		kid := ""

		if header, ok := token.Header["kid"]; ok {
			if kid, ok = header.(string); !ok || kid == "" {
				return nil, errKeyID
			}
		}

		set := i.keys.current()
		if set == nil || kid != "" && !set.has(kid) {
			set = i.keys.renewed(ctx)
		}

		if set == nil {
			return nil, errNoKeys
		}

		return set.choose(kid, token.Method.Alg())
	}
}
