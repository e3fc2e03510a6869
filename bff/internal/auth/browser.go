package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// BrowserIdentity returns how the tokens of a browser's session say who calls; see session.Deps.
func (a *Authenticator) BrowserIdentity(
	cfg config.Sessions,
) func(context.Context, provider.Tokens) (reqinfo.Principal, time.Time, error) {
	if cfg.Identity == config.IdentityIDToken {
		issuer := &issuer{name: cfg.Issuer, claims: cfg.Claims, prefix: cfg.SubjectPrefix}

		return func(_ context.Context, tokens provider.Tokens) (reqinfo.Principal, time.Time, error) {
			return issuer.browser(tokens)
		}
	}

	return func(ctx context.Context, tokens provider.Tokens) (reqinfo.Principal, time.Time, error) {
		found, err := a.verify(justIssued(ctx), tokens.Access)

		switch {
		case errors.Is(err, errNoKeys):
			return reqinfo.Principal{}, time.Time{}, fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
		case err != nil:
			return reqinfo.Principal{}, time.Time{}, fmt.Errorf("access token: %w", err)
		case found.certificate != "":
			return reqinfo.Principal{}, time.Time{}, errNotBound
		case found.principal.Issuer != cfg.Issuer:
			return reqinfo.Principal{}, time.Time{},
				fmt.Errorf("access token: %w: it is of %.200q", errUnknownIssuer, found.principal.Issuer)
		}

		return found.principal, found.expires, nil
	}
}

// browser returns the caller that a verified ID token identifies. Scopes are those that were granted, unless a claim has them.
func (i *issuer) browser(tokens provider.Tokens) (reqinfo.Principal, time.Time, error) {
	principal, err := i.principal(tokens.Claims)
	if err != nil {
		return reqinfo.Principal{}, time.Time{}, fmt.Errorf("ID token: %w", err)
	}

	if i.claims.Scopes == "" {
		principal.Scopes = tokens.Scopes
	}

	return principal, until(tokens), principal.Check()
}

// until is when tokens are replaced whose provider does not say how long the access token lasts: when the ID token expires. The
// zero time: it says so.
func until(tokens provider.Tokens) time.Time {
	expires, err := jwt.MapClaims(tokens.Claims).GetExpirationTime()
	if err != nil || expires == nil || !tokens.AccessUntil.IsZero() {
		return time.Time{}
	}

	return expires.Time
}
