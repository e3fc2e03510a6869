package devprovider

import (
	"net/http"

	"github.com/go-jose/go-jose/v4"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// The endpoints, below DevPath.
const (
	authorizePath  = "/authorize"
	loginPath      = "/login"
	tokenPath      = "/token"
	revokePath     = "/revoke"
	userinfoPath   = "/userinfo"
	endSessionPath = "/end_session"
	keysPath       = "/keys"
)

// discovery is the document of OpenID Connect Discovery 1.0, with what the library has no field for.
type discovery struct {
	oidc.DiscoveryConfiguration

	// ResponsesHaveIssuer is of RFC 9207, section 3.
	ResponsesHaveIssuer bool `json:"authorization_response_iss_parameter_supported"`
}

func (p *Provider) discover(w http.ResponseWriter, _ *http.Request) {
	secrets := []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost}

	httphelper.MarshalJSON(w, discovery{
		DiscoveryConfiguration: oidc.DiscoveryConfiguration{
			Issuer:                p.issuer,
			AuthorizationEndpoint: p.issuer + authorizePath,
			TokenEndpoint:         p.issuer + tokenPath,
			RevocationEndpoint:    p.issuer + revokePath,
			UserinfoEndpoint:      p.issuer + userinfoPath,
			EndSessionEndpoint:    p.issuer + endSessionPath,
			JwksURI:               p.issuer + keysPath,

			ScopesSupported:                        Scopes(),
			ResponseTypesSupported:                 []string{string(oidc.ResponseTypeCode)},
			ResponseModesSupported:                 []string{string(oidc.ResponseModeQuery)},
			GrantTypesSupported:                    []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
			SubjectTypesSupported:                  []string{"public"},
			IDTokenSigningAlgValuesSupported:       []string{string(jose.EdDSA)},
			TokenEndpointAuthMethodsSupported:      secrets,
			RevocationEndpointAuthMethodsSupported: secrets,
			CodeChallengeMethodsSupported:          []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
			ClaimsSupported:                        []string{"sub", "name", "preferred_username", "email", "email_verified", "sid"},

			BackChannelLogoutSupported:        p.options.BackChannelPath != "",
			BackChannelLogoutSessionSupported: p.options.BackChannelPath != "",
		},
		ResponsesHaveIssuer: true,
	})
}
