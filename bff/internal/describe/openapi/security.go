package openapi

import (
	"strings"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Names of the security schemes.
const (
	schemeBearer      = "bearer"
	schemeAPIKey      = "apiKey"
	schemeCertificate = "certificate"
	schemeSession     = "browserSession"
)

// typeAPIKey is the type of a security scheme that is a header or a cookie.
const typeAPIKey = "apiKey"

// SecuritySchemes are the names of the kinds of credentials that the gateway verifies.
func SecuritySchemes() []string {
	return []string{schemeBearer, schemeAPIKey, schemeCertificate, schemeSession}
}

// scheme describes it.
func (c *Credential) scheme() *SecurityScheme {
	switch {
	case c.Header != "":
		return &SecurityScheme{Type: typeAPIKey, In: inHeader, Name: c.Header, Description: c.Description}
	case c.Cookie != "":
		return &SecurityScheme{Type: typeAPIKey, In: inCookie, Name: c.Cookie, Description: c.Description}
	default:
		return &SecurityScheme{Type: "http", Scheme: strings.ToLower(c.Scheme), Description: c.Description}
	}
}

// securitySchemes are the kinds of credentials that the gateway accepts: also tokens if there is no other.
func (b *builder) securitySchemes() *Map[*SecurityScheme] {
	schemes, auth := &Map[*SecurityScheme]{}, b.gateway.Auth
	if auth.Disabled {
		return schemes
	}

	if len(auth.Issuers) > 0 || auth.APIKeys.File == "" && len(auth.Certificates) == 0 && b.config.Credential == nil &&
		!auth.Sessions.On() {
		schemes.Set(schemeBearer, &SecurityScheme{
			Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token (RFC 6750, RFC 9068).",
		})
	}

	if auth.APIKeys.File != "" {
		schemes.Set(schemeAPIKey, &SecurityScheme{
			Type: typeAPIKey, In: inHeader, Name: auth.APIKeys.Header,
			Description: "A key, which has scopes and roles as a token has.",
		})
	}

	if len(auth.Certificates) > 0 {
		schemes.Set(schemeCertificate, &SecurityScheme{Type: "mutualTLS", Description: "A client certificate."})
	}

	if auth.Sessions.On() {
		schemes.Set(schemeSession, &SecurityScheme{
			Type: typeAPIKey, In: inCookie, Name: auth.Sessions.Cookie, Description: b.sessionWords(),
		})
	}

	if c := b.config.Credential; c != nil {
		schemes.Set(c.Name, c.scheme())
	}

	return schemes
}

// security are the alternatives of an operation: for each kind of credential each set of scopes that is enough. (OpenAPI 3.1 allows
// scopes with any scheme.) An owner needs none of the scopes that others need, so they are not among them.
func (b *builder) security(access *porticov1.Access) []map[string][]string {
	alternatives := []map[string][]string{}
	if access.GetPublic() {
		return alternatives
	}

	for _, scheme := range b.securitySchemes().Keys() {
		all := access.GetScopes().GetAllOf()
		if len(access.GetScopes().GetAnyOf()) == 0 {
			alternatives = append(alternatives, map[string][]string{scheme: scopes(all)})
		}

		for _, one := range access.GetScopes().GetAnyOf() {
			alternatives = append(alternatives, map[string][]string{scheme: scopes(all, one)})
		}
	}

	return alternatives
}

func scopes(all []string, more ...string) []string {
	return append(append([]string{}, all...), more...)
}
