package devprovider

import (
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// token is the token endpoint.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	var (
		tokens *oidc.AccessTokenResponse
		err    error
	)

	switch kind := r.PostFormValue("grant_type"); oidc.GrantType(kind) {
	case oidc.GrantTypeCode:
		tokens, err = p.redeem(r)
	case oidc.GrantTypeRefreshToken:
		tokens, err = p.refresh(r)
	default:
		err = oidc.ErrUnsupportedGrantType().WithDescription("grant_type must be authorization_code or refresh_token")
	}

	if err != nil {
		p.writeError(w, r, err)

		return
	}

	httphelper.MarshalJSON(w, tokens)
}

// redeem exchanges a code. A code that is used twice ends what the first use gave (RFC 6749, section 4.1.2).
func (p *Provider) redeem(r *http.Request) (*oidc.AccessTokenResponse, error) {
	var request oidc.AccessTokenRequest
	if err := p.authenticate(r, &request, &request.ClientID, &request.ClientSecret); err != nil {
		return nil, err
	}

	c, ok := p.state.codes.get(request.Code)
	if !ok {
		return nil, oidc.ErrInvalidGrant().WithDescription("there is no such code")
	}

	if c.used.Swap(true) {
		c.grant.ended.Store(true)

		return nil, oidc.ErrInvalidGrant().WithDescription("the code was used before")
	}

	if request.RedirectURI != c.request.RedirectURI {
		return nil, oidc.ErrInvalidGrant().WithDescription("redirect_uri is not that of the authorization request")
	}

	challenge := &oidc.CodeChallenge{Challenge: c.request.CodeChallenge, Method: c.request.CodeChallengeMethod}
	if err := op.AuthorizeCodeChallenge(request.CodeVerifier, challenge); err != nil {
		return nil, err
	}

	c.grant.session.joined(c.grant.client)

	return p.tokens(c.grant, c.grant.scopes, c.request.Nonce)
}

// refresh exchanges a refresh token for another. One that is used twice ends all that follow from it (RFC 9700, section 4.14.2).
func (p *Provider) refresh(r *http.Request) (*oidc.AccessTokenResponse, error) {
	var request oidc.RefreshTokenRequest
	if err := p.authenticate(r, &request, &request.ClientID, &request.ClientSecret); err != nil {
		return nil, err
	}

	token, ok := p.state.refreshTokens.get(request.RefreshToken)
	if !ok {
		return nil, oidc.ErrInvalidGrant().WithDescription("there is no such refresh token")
	}

	scopes := token.grant.scopes

	if len(request.Scopes) > 0 {
		scopes = request.Scopes
		if slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(token.grant.scopes, scope) }) {
			return nil, oidc.ErrInvalidScope()
		}
	}

	if token.used.Swap(true) {
		token.grant.ended.Store(true)

		return nil, oidc.ErrInvalidGrant().WithDescription("the refresh token was used before")
	}

	if token.grant.ended.Load() {
		return nil, oidc.ErrInvalidGrant().WithDescription("the refresh token was revoked")
	}

	return p.tokens(token.grant, scopes, "")
}

// tokens are the response of the token endpoint.
func (p *Provider) tokens(g *grant, scopes []string, nonce string) (*oidc.AccessTokenResponse, error) {
	lifetime := p.options.TokenLifetime
	expires := time.Now().Add(lifetime)

	access, err := p.accessToken(g, scopes, rand.Text(), expires)
	if err != nil {
		return nil, err
	}

	id, err := p.idToken(g, scopes, nonce, access, expires)
	if err != nil {
		return nil, err
	}

	response := &oidc.AccessTokenResponse{
		AccessToken: access, IDToken: id, TokenType: oidc.BearerToken, ExpiresIn: uint64(lifetime.Seconds()), Scope: scopes,
	}

	if slices.Contains(g.scopes, oidc.ScopeOfflineAccess) {
		response.RefreshToken = p.state.refreshTokens.add(&refreshToken{grant: g})
	}

	return response, nil
}
