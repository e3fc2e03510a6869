package devprovider

import (
	"net/http"
	"slices"

	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// revocation is a request as the library reads the client's secret from it.
type revocation struct {
	oidc.RevocationRequest

	ClientID     string `schema:"client_id"`
	ClientSecret string `schema:"client_secret"`
}

// SetClientID is called with the name in the Authorization header.
func (r *revocation) SetClientID(id string) { r.ClientID = id }

// SetClientSecret is called with the secret in the Authorization header.
func (r *revocation) SetClientSecret(secret string) { r.ClientSecret = secret }

// revoke is the revocation endpoint (RFC 7009). A refresh token ends with all that follow from the same login; an access token
// stays valid, since nobody asks the provider about it; an unknown token is no error (section 2.2).
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	var request revocation
	if err := p.authenticate(r, &request, &request.ClientID, &request.ClientSecret); err != nil {
		p.writeError(w, r, err)

		return
	}

	if token, ok := p.state.refreshTokens.get(request.Token); ok {
		token.grant.ended.Store(true)
	}

	w.WriteHeader(http.StatusOK)
}

// userinfo is the UserInfo endpoint (OpenID Connect Core, section 5.3).
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	refuse := func() {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "An access token of this provider is needed.", http.StatusUnauthorized)
	}

	token, err := op.ParseUserinfoRequest(r, p.decoder)
	if err != nil {
		refuse()

		return
	}

	claims, err := op.VerifyAccessToken[*oidc.AccessTokenClaims](r.Context(), token, p.keys.access)
	// An ID token has the same issuer and key, but another audience.
	if err != nil || !slices.Contains(claims.Audience, devissuer.Audience) {
		refuse()

		return
	}

	u, ok := findUser(claims.Subject)
	if !ok {
		refuse()

		return
	}

	httphelper.MarshalJSON(w, u.info(claims.Scopes))
}
