package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// errClaims reports that a claim of a token with a valid signature cannot be used.
var errClaims = errors.New("unusable claim")

// lastDate is the end of the year 9999. Later dates overflow time.Time and might become the past.
const lastDate = 253402300799

// parse parses the claims of a token with a valid signature.
func (i *issuer) parse(claims jwt.MapClaims) (verified, error) {
	for _, name := range []string{"exp", "nbf", "iat"} {
		if date, ok := claims[name].(float64); ok && (date < 0 || date > lastDate) {
			return verified{}, fmt.Errorf("%w: %s %g is out of range", errClaims, name, date)
		}
	}

	if err := i.require(claims); err != nil {
		return verified{}, err
	}

	// A security event token, such as for a logout, is no access token, even if it has no type (RFC 8417, sections 2.2 and 4.6).
	if _, event := claims["events"].(map[string]any); event {
		return verified{}, fmt.Errorf("%w: events are those of a security event token", errClaims)
	}

	if i.isIDToken(claims) {
		return verified{}, fmt.Errorf("%w: nonce or at_hash are those of an ID token", errClaims)
	}

	certificate, err := confirmation(claims)
	if err != nil {
		return verified{}, err
	}

	principal, err := i.principal(claims)

	return verified{principal: principal, certificate: certificate}, err
}

// isIDToken reports whether claims are those of an ID token of the client that browsers log in by (OpenID Connect Core 1.0,
// sections 2 and 3.1.3.6). A page can get one of those, and they may have the audience of access tokens as well. Keycloak before
// version 25 had the nonce in access tokens, too, with another claim "typ".
func (i *issuer) isIDToken(claims jwt.MapClaims) bool {
	audience, err := claims.GetAudience()
	if err != nil || i.browserClient == "" || !slices.Contains(audience, i.browserClient) {
		return false
	}

	_, hash := claims["at_hash"]
	_, nonce := claims["nonce"]

	return hash || nonce && claims["typ"] != "Bearer"
}

func (i *issuer) principal(claims jwt.MapClaims) (reqinfo.Principal, error) {
	subject, ok := lookup(claims, i.claims.Subject).(string)
	if !ok {
		return reqinfo.Principal{}, fmt.Errorf("%w: %s is no subject", errClaims, i.claims.Subject)
	}

	scopes, err := scopes(claims, i.claims.Scopes)
	if err != nil {
		return reqinfo.Principal{}, err
	}

	roles, err := list(i.claims.Roles, lookup(claims, i.claims.Roles))
	if err != nil {
		return reqinfo.Principal{}, err
	}

	tenant, ok := lookup(claims, i.claims.Tenant).(string)
	if !ok && lookup(claims, i.claims.Tenant) != nil {
		return reqinfo.Principal{}, fmt.Errorf("%w: %s is not a string", errClaims, i.claims.Tenant)
	}

	// Checked without the prefix, which would hide a leading space.
	p := reqinfo.Principal{Subject: subject, Issuer: i.name, Scopes: scopes, Roles: roles, Tenant: tenant}
	if err := p.Check(); err != nil {
		return reqinfo.Principal{}, fmt.Errorf("%w: %w (subject %.300q, tenant %.300q)", errClaims, err, subject, tenant)
	}

	p.Subject = i.prefix + subject

	return p, nil
}

// lookup finds a claim by its name or, if there is none, along the dots in it. Nil: there is none.
func lookup(claims map[string]any, name string) any {
	if value, ok := claims[name]; ok {
		return value
	}

	object, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}

	inner, ok := claims[object].(map[string]any)
	if !ok {
		return nil
	}

	return lookup(inner, rest)
}

// require checks the claims that the configuration requires.
func (i *issuer) require(claims jwt.MapClaims) error {
	for name, allowed := range i.required {
		value := lookup(claims, name)
		if value == nil {
			return fmt.Errorf("%w: %s is missing", errClaims, name)
		}

		if len(allowed) > 0 && !allows(allowed, value) {
			return fmt.Errorf("%w: %s is %.100q", errClaims, name, fmt.Sprint(value))
		}
	}

	return nil
}

// allows reports whether a value is one of the allowed strings, or a list with one of them.
func allows(allowed []string, value any) bool {
	items, ok := value.([]any)
	if !ok {
		items = []any{value}
	}

	return slices.ContainsFunc(items, func(item any) bool {
		text, ok := item.(string)
		return ok && slices.Contains(allowed, text)
	})
}

// confirmation returns the thumbprint of the certificate that a token is bound to (RFC 8705, section 3.1). A token that is bound in
// another way, such as by DPoP (RFC 9449), is refused: as a bearer token, anyone who stole it could use it.
func confirmation(claims jwt.MapClaims) (string, error) {
	value, bound := claims["cnf"]
	if !bound {
		return "", nil
	}

	members, ok := value.(map[string]any)
	if !ok || len(members) != 1 {
		return "", fmt.Errorf("%w: cnf is not understood", errClaims)
	}

	thumbprint, ok := members["x5t#S256"].(string)
	if !ok || thumbprint == "" {
		return "", fmt.Errorf("%w: cnf is not understood", errClaims)
	}

	return thumbprint, nil
}

// scopes parses the claim of this name. Without a name it is "scope" (RFC 8693, section 4.2: a string, separated by spaces), or
// else "scp", which some issuers write instead, as a string or as an array.
func scopes(claims jwt.MapClaims, name string) ([]string, error) {
	value := lookup(claims, name)

	if name == "" {
		if name, value = "scope", claims["scope"]; value == nil {
			name, value = "scp", claims["scp"]
		}
	}

	if text, ok := value.(string); ok {
		return strings.FieldsFunc(text, func(c rune) bool { return c == ' ' }), nil
	}

	if name == "scope" && value != nil {
		return nil, fmt.Errorf("%w: scope is not a string", errClaims)
	}

	return list(name, value)
}

// list parses a claim that is a list of strings, or a single one.
func list(name string, value any) ([]string, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{value}, nil
	case []any:
		texts := make([]string, 0, len(value))

		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("%w: %s has an element that is not a string", errClaims, name)
			}

			texts = append(texts, text)
		}

		return texts, nil
	default:
		return nil, fmt.Errorf("%w: %s is a %T", errClaims, name, value)
	}
}
