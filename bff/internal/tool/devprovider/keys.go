package devprovider

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/crypto"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// keys sign and verify tokens.
type keys struct {
	public jose.JSONWebKey
	// They differ in the type (RFC 8725, section 3.11), which for access tokens is that of RFC 9068, section 2.1.
	idTokens, accessTokens, logoutTokens jose.Signer

	hints  *op.IDTokenHintVerifier
	access *op.AccessTokenVerifier
}

func newKeys(issuer string, key *devissuer.DevIssuer) (keys, error) {
	private := jose.JSONWebKey{Key: key.Key(), KeyID: key.KeyID(), Algorithm: string(jose.EdDSA), Use: oidc.KeyUseSignature}
	k := keys{public: private.Public()}

	for typ, signer := range map[jose.ContentType]*jose.Signer{
		"JWT": &k.idTokens, "at+jwt": &k.accessTokens, "logout+jwt": &k.logoutTokens,
	} {
		var err error

		*signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: private}, (&jose.SignerOptions{}).WithType(typ))
		if err != nil {
			return keys{}, fmt.Errorf("make signer of the development provider: %w", err)
		}
	}

	algorithm := string(jose.EdDSA)
	k.hints = op.NewIDTokenHintVerifier(issuer, keySet{k.public}, op.WithSupportedIDTokenHintSigningAlgorithms(algorithm))
	k.access = op.NewAccessTokenVerifier(issuer, keySet{k.public}, op.WithSupportedAccessTokenSigningAlgorithms(algorithm))

	return k, nil
}

// keySet is a key as the library verifies with it.
type keySet struct{ key jose.JSONWebKey }

// VerifySignature returns the payload. The library has checked the algorithm.
func (k keySet) VerifySignature(_ context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	return jws.Verify(k.key)
}

func (p *Provider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	httphelper.MarshalJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.keys.public}})
}

// accessToken is for the gateway, and in the form that its configuration expects: the scopes are one text.
func (p *Provider) accessToken(g *grant, scopes []string, id string, expires time.Time) (string, error) {
	claims := oidc.NewAccessTokenClaims(p.issuer, g.session.user.name, []string{devissuer.Audience}, expires, id, ClientID, 0)
	claims.Scopes = scopes

	return crypto.Sign(claims, p.keys.accessTokens)
}

// idToken is for the client, and says which access token came with it. The nonce is empty for tokens of a refresh (OpenID Connect
// Core, section 12.2).
func (p *Provider) idToken(g *grant, scopes []string, nonce, accessToken string, expires time.Time) (string, error) {
	s := g.session
	claims := oidc.NewIDTokenClaims(p.issuer, s.user.name, nil, expires, s.authTime, nonce, "", nil, ClientID, 0)
	claims.SetUserInfo(s.user.info(scopes))
	claims.SessionID = s.sid

	var err error
	if claims.AccessTokenHash, err = oidc.ClaimHash(accessToken, jose.EdDSA); err != nil {
		return "", err
	}

	return crypto.Sign(claims, p.keys.idTokens)
}
