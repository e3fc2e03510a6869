package session

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// notRefreshedPause is how long the log does not repeat that a session was not refreshed: while a provider is down, that happens to
// nearly every request. All are counted.
const notRefreshedPause = 10 * time.Second

// logNotRefreshed logs that the tokens of a session could not be had, or not be verified.
func (s *Sessions) logNotRefreshed(ctx context.Context, a *active, cause error) {
	now, last := time.Now(), s.notRefreshedLogged.Load()
	if last > now.Add(-notRefreshedPause).UnixNano() || !s.notRefreshedLogged.CompareAndSwap(last, now.UnixNano()) {
		return
	}

	s.Logger.WarnContext(ctx, "a session was not refreshed", slog.String("subject", a.Principal.Subject), slog.Any("error", cause))
}

// logFewerScopes logs, once for each set of scopes, that a provider has not granted all that were asked for (RFC 6749, section
// 3.3). Of those of OpenID Connect Core 1.0, sections 5.4 and 11, which are not about access tokens, many say nothing.
func (s *Sessions) logFewerScopes(ctx context.Context, tokens provider.Tokens) {
	var missing []string

	own := []string{"openid", "profile", "email", "address", "phone", "offline_access"}

	for _, scope := range s.cfg.Scopes {
		if !slices.Contains(own, scope) && !slices.Contains(tokens.Scopes, scope) {
			missing = append(missing, scope)
		}
	}

	if len(missing) == 0 {
		return
	}

	if _, said := s.fewerScopes.LoadOrStore(strings.Join(missing, " "), true); !said {
		s.Logger.WarnContext(ctx, "the OpenID provider has not granted all scopes that auth.sessions.scopes asks for",
			slog.Any("missing", missing), slog.Any("granted", tokens.Scopes))
	}
}
