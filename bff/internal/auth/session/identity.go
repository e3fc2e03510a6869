package session

import (
	"context"
	"errors"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// identifyAgain makes the principal of a session the one of the settings as they are now, if it was identified by others. It
// returns ErrNone if the settings do not accept it any more. While that cannot be found out, the digest stays that of the other
// settings.
//
// It stores nothing, since the next refresh does: gateways with other settings may share the session.
func (s *Sessions) identifyAgain(ctx context.Context, a *active) error {
	if a.Settings == s.Settings {
		return nil
	}

	// The access token that comes next says it.
	if s.endsWithToken() && a.authorization(time.Now()) == "" {
		a.Settings = s.Settings
		return nil
	}

	principal, _, err := s.Identify(ctx, provider.Tokens{
		Access: a.Access, AccessUntil: a.AccessUntil, ID: a.ID, Claims: a.Claims, Scopes: a.Scopes,
	})

	switch {
	case errors.Is(err, provider.ErrUnavailable):
		return nil
	case err != nil && s.endsWithToken() && a.Refresh != "":
		// The next access token may be one that is accepted.
		a.AccessUntil = a.AccessFrom
	case err != nil, principal.Subject != a.Principal.Subject, principal.Issuer != a.Principal.Issuer:
		// By its name the caller has other limits, and operators find its sessions.
		return ErrNone
	default:
		a.Principal = caller(principal)
	}

	a.Settings = s.Settings

	return nil
}
