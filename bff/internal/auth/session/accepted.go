package session

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// errNotAccepted means that the provider has issued tokens which do not say who calls, such as an access token for another
// audience. That is for operators to mend, and not for the user.
var errNotAccepted = errors.New("the provider's tokens are not accepted (auth.issuers, auth.sessions.identity)")

// notAcceptedUnlessUnavailable marks an error of Identify.
func notAcceptedUnlessUnavailable(err error) error {
	if errors.Is(err, provider.ErrUnavailable) {
		return err
	}

	return fmt.Errorf("%w: %w", errNotAccepted, err)
}

// refusalOutcome is what is counted when a refresh ends its session.
func refusalOutcome(err error) string {
	if errors.Is(err, errNotAccepted) {
		return "not_accepted"
	}

	return "refused"
}

// refusalLevel is the level at which the log says so.
func refusalLevel(err error) slog.Level {
	if errors.Is(err, errNotAccepted) {
		return slog.LevelError
	}

	return slog.LevelInfo
}
