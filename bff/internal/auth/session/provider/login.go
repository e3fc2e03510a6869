package provider

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Login is an authorization request, and what its response is verified by.
type Login struct {
	// State is passed back with the response.
	State string
	// Nonce is passed back in the ID token.
	Nonce string
	// Verifier is the secret of PKCE (RFC 7636, section 4.1).
	Verifier string
	// RedirectURL is where the browser is sent with the response.
	RedirectURL string
}

// Tokens are what a provider has issued.
type Tokens struct {
	Access string
	// AccessUntil is when the access token expires. The zero time: that is unknown.
	AccessUntil time.Time
	// Refresh is the refresh token. Empty: there is none, or the one before stays.
	Refresh string
	// ID is the ID token. Empty: there is none, which may be at a refresh.
	ID string
	// Claims are those of the ID token, and of no other.
	Claims map[string]any
	// Scopes are those that were granted.
	Scopes []string
}

// Subject is the "sub" claim of the ID token.
func (t Tokens) Subject() string { return t.claim("sub") }

// SessionID is the "sid" claim of the ID token, by which the provider names its session. Empty: there is none.
func (t Tokens) SessionID() string { return t.claim("sid") }

func (t Tokens) claim(name string) string {
	text, _ := t.Claims[name].(string)

	return text
}

var (
	errNoIDToken = errors.New("the response has no ID token")
	errNonce     = errors.New("the ID token has another nonce")
	errParty     = errors.New("the ID token was issued to another party")
	errIssuer    = errors.New("the authorization response is of another issuer, or does not say of which")
)

// AuthorizationURL returns where a browser is sent to log in. Where the provider takes pushed authorization requests, the request is
// sent to it, and the URL only refers to it.
func (p *Provider) AuthorizationURL(ctx context.Context, login Login) (string, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return "", err
	}

	options := make([]oauth2.AuthCodeOption, 0, len(p.cfg.AuthorizationParameters)+2)
	for _, name := range slices.Sorted(maps.Keys(p.cfg.AuthorizationParameters)) {
		options = append(options, oauth2.SetAuthURLParam(name, p.cfg.AuthorizationParameters[name]))
	}

	options = append(options, oidc.Nonce(login.Nonce), oauth2.S256ChallengeOption(login.Verifier))
	direct := p.oauth(d, login.RedirectURL).AuthCodeURL(login.State, options...)

	if d.PushedEndpoint == "" {
		return direct, nil
	}

	return p.push(ctx, d, direct)
}

// push sends an authorization request to the provider (RFC 9126, section 2), and returns the URL that refers to it.
func (p *Provider) push(ctx context.Context, d *discovered, direct string) (string, error) {
	request, err := url.Parse(direct)
	if err != nil {
		return "", fmt.Errorf("%w: authorization_endpoint: %w", ErrUnavailable, err)
	}

	var response struct {
		RequestURI string `json:"request_uri"`
	}

	if err := p.post(ctx, d.PushedEndpoint, request.Query(), &response); err != nil {
		return "", fmt.Errorf("pushed authorization request: %w", err)
	}

	if response.RequestURI == "" {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, errNoRequestURI)
	}

	return withQuery(d.AuthorizationEndpoint, url.Values{
		"client_id": {p.cfg.ClientID}, "request_uri": {response.RequestURI},
	})
}

// CheckIssuer checks the parameter "iss" of an authorization response (RFC 9207, section 2.4). A code of another issuer must not be
// sent to this one, nor the other way round.
func (p *Provider) CheckIssuer(ctx context.Context, response url.Values) error {
	d, err := p.discover(ctx)
	if err != nil {
		return err
	}

	sent := response["iss"]
	if len(sent) == 0 && !d.SendsIssuer || len(sent) == 1 && sent[0] == p.cfg.Issuer {
		return nil
	}

	return fmt.Errorf("%w: iss is %.300q", errIssuer, sent)
}

// Exchange returns the tokens for a code.
func (p *Provider) Exchange(ctx context.Context, code string, login Login) (Tokens, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return Tokens{}, err
	}

	token, err := p.oauth(d, login.RedirectURL).Exchange(p.with(ctx), code, oauth2.VerifierOption(login.Verifier))
	if err != nil {
		return Tokens{}, fmt.Errorf("exchange code: %w", explain(err))
	}

	tokens, id, err := p.tokens(ctx, d, token)
	if err != nil {
		return Tokens{}, err
	}

	switch {
	case id == nil:
		return Tokens{}, fmt.Errorf("%w: %w", ErrRefused, errNoIDToken)
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(login.Nonce)) == 0:
		return Tokens{}, fmt.Errorf("%w: %w", ErrRefused, errNonce)
	}

	return tokens, nil
}

// Refresh returns new tokens for a refresh token. ErrRefused means that it is not valid any more.
func (p *Provider) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return Tokens{}, err
	}

	token, err := p.oauth(d, "").TokenSource(p.with(ctx), &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return Tokens{}, fmt.Errorf("refresh: %w", explain(err))
	}

	tokens, _, err := p.tokens(ctx, d, token)

	return tokens, err
}

// tokens reads a token response (OpenID Connect Core 1.0, sections 3.1.3.7 and 12.2). The ID token is nil if there is none.
func (p *Provider) tokens(ctx context.Context, d *discovered, token *oauth2.Token) (Tokens, *oidc.IDToken, error) {
	out := Tokens{Access: token.AccessToken, AccessUntil: token.Expiry, Refresh: token.RefreshToken, Scopes: p.cfg.Scopes}

	// Without one, it is what was asked for (RFC 6749, section 5.1).
	if scope, ok := token.Extra("scope").(string); ok {
		out.Scopes = strings.Fields(scope)
	}

	raw, ok := token.Extra("id_token").(string)
	if !ok || raw == "" {
		return out, nil, nil
	}

	id, err := d.verifier.Verify(ctx, raw)
	if err != nil {
		return Tokens{}, nil, fmt.Errorf("%w: ID token: %w", ErrRefused, err)
	}

	if err := id.Claims(&out.Claims); err != nil {
		return Tokens{}, nil, fmt.Errorf("%w: ID token: %w", ErrRefused, err)
	}

	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return Tokens{}, nil, fmt.Errorf("%w: ID token: %w", ErrRefused, err)
		}
	}

	// A token for several audiences names the party that it was issued to.
	if party, ok := out.Claims["azp"]; ok && party != p.cfg.ClientID || !ok && len(id.Audience) > 1 {
		return Tokens{}, nil, fmt.Errorf("%w: %w: azp is %.100q", ErrRefused, errParty, fmt.Sprint(party))
	}

	out.ID = raw

	return out, id, nil
}

// explain tells a refusal of the provider from its failures.
func explain(err error) error {
	if response, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return refused(response.Response.StatusCode, response.ErrorCode, response.ErrorDescription)
	}

	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// withQuery adds parameters to the query of a URL.
func withQuery(text string, add url.Values) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%w: parse URL: %w", ErrUnavailable, err)
	}

	query := u.Query()
	maps.Copy(query, add)
	u.RawQuery = query.Encode()

	return u.String(), nil
}
