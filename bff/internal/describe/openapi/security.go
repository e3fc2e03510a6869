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
)

// typeAPIKey is the type of a security scheme that is a header or a cookie.
const typeAPIKey = "apiKey"

// SecuritySchemes are the names of the kinds of credentials that the gateway verifies.
func SecuritySchemes() []string { return []string{schemeBearer, schemeAPIKey, schemeCertificate} }

// scheme describes it.
func (c *Credential) scheme() *SecurityScheme {
	switch {
	case c.Header != "":
		return &SecurityScheme{Type: typeAPIKey, In: inHeader, Name: c.Header, Description: c.Description}
	case c.Cookie != "":
		return &SecurityScheme{Type: typeAPIKey, In: "cookie", Name: c.Cookie, Description: c.Description}
	default:
		return &SecurityScheme{Type: "http", Scheme: strings.ToLower(c.Scheme), Description: c.Description}
	}
}

// securitySchemes are the kinds of credentials that the gateway takes.
func (b *builder) securitySchemes() map[string]*SecurityScheme {
	if b.config.AuthDisabled {
		return nil
	}

	schemes := map[string]*SecurityScheme{}

	if !b.config.WithoutTokens {
		schemes[schemeBearer] = &SecurityScheme{
			Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token (RFC 6750, RFC 9068).",
		}
	}

	if b.config.APIKeyHeader != "" {
		schemes[schemeAPIKey] = &SecurityScheme{
			Type: typeAPIKey, In: inHeader, Name: b.config.APIKeyHeader,
			Description: "A key, which has scopes and roles as a token has.",
		}
	}

	if b.config.Certificates {
		schemes[schemeCertificate] = &SecurityScheme{Type: "mutualTLS", Description: "A client certificate."}
	}

	if c := b.config.Credential; c != nil {
		schemes[c.Name] = c.scheme()
	}

	return schemes
}

// security are the alternatives of an operation: for each kind of credential each set of scopes that is enough. (OpenAPI 3.1 allows
// scopes with any scheme.) An owner needs none of those that lift the demand, so they are not among them.
func (b *builder) security(access *porticov1.Access) []map[string][]string {
	alternatives := []map[string][]string{}
	if access.GetPublic() || b.config.AuthDisabled {
		return alternatives
	}

	var schemes []string

	if !b.config.WithoutTokens {
		schemes = append(schemes, schemeBearer)
	}

	if b.config.APIKeyHeader != "" {
		schemes = append(schemes, schemeAPIKey)
	}

	if b.config.Certificates {
		schemes = append(schemes, schemeCertificate)
	}

	if b.config.Credential != nil {
		schemes = append(schemes, b.config.Credential.Name)
	}

	for _, scheme := range schemes {
		if len(access.GetScopes().GetAnyOf()) == 0 {
			alternatives = append(alternatives, map[string][]string{scheme: scopes(access.GetScopes().GetAllOf())})
		}

		for _, one := range access.GetScopes().GetAnyOf() {
			alternatives = append(alternatives, map[string][]string{scheme: scopes(access.GetScopes().GetAllOf(), one)})
		}
	}

	return alternatives
}

func scopes(all []string, more ...string) []string {
	return append(append([]string{}, all...), more...)
}
