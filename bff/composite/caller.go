package composite

import (
	"context"
	"slices"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Principal is the caller of a request, as the gateway has authenticated it.
type Principal struct {
	// Subject identifies the caller, in 1 to 255 characters of printable ASCII. Empty: the caller is anonymous.
	Subject string
	// Issuer is who vouches for the caller: the issuer of a token. Callers with the same subject and different issuers share no
	// cached responses and no limits.
	Issuer string
	// Scopes and Roles are those of the caller, each in printable ASCII without spaces.
	Scopes, Roles []string
	// Tenant is the customer that the caller belongs to. Empty: none.
	Tenant string
}

// Caller returns the caller of the request that a context belongs to: that of a method of a composite, or one derived from it. It
// is anonymous outside of a request. Backends get the same caller from the gateway; a composite need not pass it on.
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
