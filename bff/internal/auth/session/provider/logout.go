package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// maxLogoutAge is how old a logout token may be (OpenID Connect Back-Channel Logout 1.0, section 2.6).
const maxLogoutAge = 5 * time.Minute

var errLogoutAge = errors.New("logout token: it was issued too long ago, or in the future")

// Logout is what a logout token says.
type Logout struct {
	// ID is unique for each token.
	ID string
	// Subject and SessionID are whose sessions end: all of the subject, or those of this session of the provider. One is empty or
	// none.
	Subject, SessionID string
	// Until is when the token may not come any more.
	Until time.Time
}

// Revoke tells the provider that a refresh token is not used any more (RFC 7009), if it has a place for that.
func (p *Provider) Revoke(ctx context.Context, refreshToken string) error {
	d, err := p.discover(ctx)
	if err != nil || d.RevocationEndpoint == "" {
		return err
	}

	form := url.Values{"token": {refreshToken}, "token_type_hint": {"refresh_token"}}
	if err := p.post(ctx, d.RevocationEndpoint, form, nil); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}

	return nil
}

// LogoutURL returns where a browser is sent to end its session at the provider (OpenID Connect RP-Initiated Logout 1.0, section 2),
// from where it comes back to returnTo. Empty: the provider has no such place.
func (p *Provider) LogoutURL(ctx context.Context, idToken, returnTo string) (string, error) {
	d, err := p.discover(ctx)
	if err != nil || d.EndSessionEndpoint == "" {
		return "", err
	}

	query := url.Values{"client_id": {p.cfg.ClientID}, "post_logout_redirect_uri": {returnTo}}
	if idToken != "" {
		query.Set("id_token_hint", idToken)
	}

	return withQuery(d.EndSessionEndpoint, query)
}

// VerifyLogout reads a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6). Whether it came before is for the caller
// to find out. ErrUnavailable means that it could not be verified.
func (p *Provider) VerifyLogout(ctx context.Context, raw string) (Logout, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return Logout{}, err
	}

	verifier, keys := p.verifier(d)

	token, err := verifier.VerifyLogout(p.with(ctx), raw)
	if err != nil {
		return Logout{}, keys.explain(ctx, err)
	}

	if age := time.Since(token.IssuedAt); age > maxLogoutAge || age < -maxLogoutAge {
		return Logout{}, fmt.Errorf("%w: %w", ErrRefused, errLogoutAge)
	}

	return Logout{
		ID: token.TokenID, Subject: token.Subject, SessionID: token.SessionID, Until: token.IssuedAt.Add(2 * maxLogoutAge),
	}, nil
}
