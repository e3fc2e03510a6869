package composite

import (
	"context"
	"slices"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Principal is who calls.
type Principal struct {
	// Subject identifies the caller, in 1 to 255 characters of printable ASCII. Empty: the caller is anonymous.
	Subject string
	// Issuer is who vouches for it: the issuer of a token. Callers with the same subject and different issuers share no cached
	// responses and no limits.
	Issuer string
	// Scopes are what the caller was granted, and Roles what it is: printable ASCII without spaces.
	Scopes, Roles []string
	// Tenant is the customer that the caller belongs to. Empty: none.
	Tenant string
}

// Caller returns who calls, for the context of a method of a composite or one made of it. It is anonymous outside of a request. The
// backends that the composite calls get the same caller from the gateway; nothing has to be passed on.
func Caller(ctx context.Context) Principal {
	p := reqinfo.From(ctx).Principal

	return Principal{
		Subject: p.Subject, Issuer: p.Issuer, Tenant: p.Tenant, Scopes: slices.Clone(p.Scopes), Roles: slices.Clone(p.Roles),
	}
}

// Anonymous reports whether the caller showed no credentials.
func (p Principal) Anonymous() bool { return p.Subject == "" }

// HasScope reports whether the caller was granted the scope.
func (p Principal) HasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }

// HasRole reports whether the caller has the role.
func (p Principal) HasRole(role string) bool { return slices.Contains(p.Roles, role) }
