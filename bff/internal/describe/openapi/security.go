package openapi

import (
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/policy"
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
func (b *builder) security(access policy.Access) []map[string][]string {
	alternatives := []map[string][]string{}
	if access.Public || b.config.AuthDisabled {
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
		if len(access.AnyOf) == 0 {
			alternatives = append(alternatives, map[string][]string{scheme: scopes(access.AllOf)})
		}

		for _, one := range access.AnyOf {
			alternatives = append(alternatives, map[string][]string{scheme: scopes(access.AllOf, one)})
		}
	}

	return alternatives
}

func scopes(all []string, more ...string) []string {
	return append(append([]string{}, all...), more...)
}

// who says in words who may call.
func (b *builder) who(access policy.Access) string {
	if b.config.AuthDisabled {
		return "anyone"
	}

	var parts []string

	if access.Public {
		parts = append(parts, "anyone")
	}

	if access.Owner != nil {
		owner := "the caller whose subject is `" + access.Owner.Variable + "`"
		if access.Owner.UnlessScope != "" {
			owner += ", or one with the scope `" + access.Owner.UnlessScope + "`"
		}

		parts = append(parts, owner)
	}

	parts = append(parts, demands("scope", access.AnyOf, access.AllOf)...)
	parts = append(parts, demands("role", access.AnyRole, access.AllRoles)...)

	if len(parts) == 0 {
		parts = append(parts, "any caller with a valid credential")
	}

	text := strings.Join(parts, "; ")

	switch {
	case access.Condition == nil:
	case b.config.WithoutConditions:
		text += ", if a condition holds"
	default:
		text += ", if `" + access.Condition.String() + "`"
	}

	return text
}

func demands(what string, anyOf, allOf []string) []string {
	var parts []string

	if len(anyOf) > 0 {
		parts = append(parts, "one of the "+what+"s "+quoted(anyOf))
	}

	if len(allOf) > 0 {
		parts = append(parts, "the "+what+"s "+quoted(allOf))
	}

	return parts
}

func quoted(names []string) string {
	names = slices.Clone(names)
	for i, name := range names {
		names[i] = "`" + name + "`"
	}

	return strings.Join(names, ", ")
}
