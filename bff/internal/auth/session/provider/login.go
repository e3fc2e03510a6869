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
	// Scopes are those that were granted. Nil, at a refresh: those of before.
	Scopes []string
}

// Subject is the "sub" claim of the ID token.
func (t Tokens) Subject() string { return t.claim("sub") }

// SessionID is the "sid" claim of the ID token, by which the provider names its session. Empty: there is none.
func (t Tokens) SessionID() string { return t.claim("sid") }

// Nonce is the "nonce" claim of the ID token. Empty: there is none, which may be at a refresh.
func (t Tokens) Nonce() string { return t.claim("nonce") }

// IsMarked reports whether the ID token has claims that access tokens do not have (OpenID Connect Core 1.0, sections 2, 3.1.3.6).
// That of a login always has.
func (t Tokens) IsMarked() bool { return t.Nonce() != "" || t.claim("at_hash") != "" }

func (t Tokens) claim(name string) string {
	text, _ := t.Claims[name].(string)

	return text
}

var (
	errNoIDToken = errors.New("the response has no ID token")
	errNonce     = errors.New("the ID token has another nonce")
	errParty     = errors.New("the ID token was issued to another party")
	errSubject   = errors.New("the ID token has no subject")
	errToken     = fmt.Errorf("a token has more than %d bytes, or others than printable ASCII", maxToken)
	errTokenType = errors.New("the access token is no bearer token")
	errIssuer    = errors.New("the authorization response is of another issuer, or does not say of which")
)

// AuthorizationURL returns where a browser is sent to log in. Where the provider takes pushed authorization requests, the request
// is sent to it, and the URL only refers to it.
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

	switch {
	case err != nil:
		return Tokens{}, err
	case id == nil:
		return Tokens{}, fmt.Errorf("%w: %w", ErrRefused, errNoIDToken)
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(login.Nonce)) == 0:
		return Tokens{}, fmt.Errorf("%w: %w", ErrRefused, errNonce)
	}

	// Without "scope", they are those that were asked for (RFC 6749, section 5.1).
	if tokens.Scopes == nil {
		tokens.Scopes = p.cfg.Scopes
	}

	return tokens, nil
}

// Refresh returns new tokens for a refresh token. ErrRefused means that it is not valid any more, or that what came for it is not.
// If the provider has issued another refresh token, that is returned with an error as well: the one before is used up.
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
	out := Tokens{Access: token.AccessToken, AccessUntil: token.Expiry, Refresh: token.RefreshToken}
	raw, _ := token.Extra("id_token").(string)

	// What is refused or cannot be verified has had its refresh token used up: the caller gets the new one.
	none := Tokens{Refresh: out.Refresh}

	if err := check(token, raw); err != nil {
		return none, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}

	if scope, ok := token.Extra("scope").(string); ok {
		out.Scopes = strings.Fields(scope)
	}

	if raw == "" {
		return out, nil, nil
	}

	verifier, keys := p.verifier(d)

	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return none, nil, fmt.Errorf("ID token: %w", keys.explain(ctx, err))
	}

	if err := p.checkID(id, token.AccessToken, &out.Claims); err != nil {
		return none, nil, fmt.Errorf("%w: ID token: %w", ErrRefused, err)
	}

	out.ID = raw

	return out, id, nil
}

// checkID checks what the library does not, and reads the claims.
func (p *Provider) checkID(id *oidc.IDToken, access string, claims *map[string]any) error {
	if err := id.Claims(claims); err != nil {
		return fmt.Errorf("claims: %w", err)
	}

	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(access); err != nil {
			return fmt.Errorf("at_hash: %w", err)
		}
	}

	if id.Subject == "" {
		return errSubject
	}

	// A token for several audiences names the party that it was issued to.
	if party, ok := (*claims)["azp"]; ok && party != p.cfg.ClientID || !ok && len(id.Audience) > 1 {
		return fmt.Errorf("%w: azp is %.100q", errParty, fmt.Sprint(party))
	}

	return nil
}

// maxToken is the size of the largest token, in bytes. Those with hundreds of roles have 10 KB.
const maxToken = 16 << 10

// check refuses tokens that cannot be used (RFC 6749, sections 5.1 and 7.1, appendix A.12).
func check(token *oauth2.Token, id string) error {
	if token.TokenType != "" && !strings.EqualFold(token.TokenType, "Bearer") {
		return fmt.Errorf("%w: its type is %.100q", errTokenType, token.TokenType)
	}

	for _, text := range []string{token.AccessToken, token.RefreshToken, id} {
		if len(text) > maxToken || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			return errToken
		}
	}

	return nil
}

// explain tells a refusal of the provider from its failures.
func explain(err error) error {
	if response, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return refused(response.Response.StatusCode, response.ErrorCode, response.ErrorDescription)
	}

	return fmt.Errorf("%w: %w", ErrUnavailable, quoted(err))
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
