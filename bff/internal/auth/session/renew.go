package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	// refreshPause is how long a provider that has failed is not asked again.
	refreshPause = time.Second
	// replaceAttempts is how often new tokens are stored, and replacePause is how long the first pause in between takes; each is
	// twice as long as the one before.
	replaceAttempts = 5
	replacePause    = 50 * time.Millisecond
)

var errOtherSubject = errors.New("the provider has issued tokens of another subject")

// refresh asks the provider for new tokens. The caller has the right to.
func (s *Sessions) refresh(ctx context.Context, a *active) (*active, error) {
	next, err := s.renewed(ctx, a)

	switch {
	case errors.Is(err, provider.ErrRefused), errors.Is(err, errOtherSubject):
		s.Observer.ObserveSession("refresh", "refused")
		s.Logger.InfoContext(ctx, "a session ended: its tokens cannot be refreshed",
			slog.String("subject", a.Principal.Subject), slog.Any("error", err))

		if next.Refresh != a.Refresh {
			s.revoke(next)
		}

		return nil, s.end(ctx, a.key, "refused")
	case err != nil:
		s.notRefreshed(ctx, a, next, err)

		return nil, err
	}

	refreshed, err := s.replace(ctx, a, next)
	if err != nil {
		return nil, err
	}

	s.Observer.ObserveSession("refresh", "done")

	return refreshed, nil
}

// notRefreshed records that tokens could not be had, or not be verified. The session lasts.
func (s *Sessions) notRefreshed(ctx context.Context, a *active, next content, cause error) {
	// What is wrong with one request says nothing about those for others.
	if !errors.Is(cause, provider.ErrClient) {
		s.pausedUntil.Store(time.Now().Add(refreshPause).UnixNano())
	}

	s.Observer.ObserveSession("refresh", "failed")
	s.Logger.WarnContext(ctx, "a session was not refreshed", slog.Any("error", cause))

	// The refresh token before is not valid any more, if there is another one.
	if next.Refresh != a.Refresh {
		if _, err := s.replace(ctx, a, next); err != nil {
			s.Logger.WarnContext(ctx, "a new refresh token was not stored", slog.Any("error", err))
		}
	}
}

// replace stores new content of a session. It tries more than once: nobody else has the tokens.
func (s *Sessions) replace(ctx context.Context, a *active, next content) (*active, error) {
	data, err := next.seal(s.Vault(), a.key)
	if err != nil {
		return nil, err
	}

	for attempt := range replaceAttempts {
		err = s.Store.Replace(ctx, a.key, a.Version, data)
		if err == nil || errors.Is(err, ErrNone) {
			break
		}

		if !wait(ctx, replacePause<<attempt) {
			break
		}
	}

	switch {
	case errors.Is(err, ErrNone):
		return s.replaced(ctx, a, next)
	case err != nil:
		return nil, err
	}

	refreshed := *a
	refreshed.content, refreshed.Version = next, a.Version+1

	return &refreshed, nil
}

// replaced returns what is stored in place of a session that had another version. That may be the new content, if the reply to the
// first attempt was lost. Otherwise nobody will use the new tokens.
func (s *Sessions) replaced(ctx context.Context, a *active, next content) (*active, error) {
	current, err := s.load(ctx, a.key, 0)

	if errors.Is(err, ErrNone) || err == nil && current.Refresh != next.Refresh {
		s.revoke(next)
	}

	return current, err
}

// renewed returns the content of a session with new tokens. With an error, nothing is new but the refresh token, if there is one.
func (s *Sessions) renewed(ctx context.Context, a *active) (content, error) {
	next := a.content
	tokens, err := s.Provider.Refresh(ctx, a.Refresh)
	next.Refresh = cmp.Or(tokens.Refresh, a.Refresh)

	if err != nil {
		return next, err
	}

	// An ID token need not come again; the caller is then who it was.
	principal, until := reqinfo.Principal(a.Principal), time.Time{}

	if tokens.ID != "" && tokens.Subject() != a.Subject {
		return next, errOtherSubject
	}

	if tokens.ID != "" || s.endsWithToken() {
		if principal, until, err = s.Identify(ctx, tokens); err != nil {
			return next, refusedUnlessUnavailable(err)
		}
	}

	if principal.Subject != a.Principal.Subject || principal.Issuer != a.Principal.Issuer {
		return next, errOtherSubject
	}

	return next.with(tokens, principal, until), nil
}

// refusedUnlessUnavailable marks an error of Identify: tokens that identify nobody are of no use.
func refusedUnlessUnavailable(err error) error {
	if errors.Is(err, provider.ErrUnavailable) {
		return err
	}

	return fmt.Errorf("%w: %w", provider.ErrRefused, err)
}

// revoke tells the provider, in the background, that a session's refresh token is not used any more.
func (s *Sessions) revoke(c content) {
	if c.Refresh == "" {
		return
	}

	s.later(func(ctx context.Context) {
		if err := s.Provider.Revoke(ctx, c.Refresh); err != nil {
			s.Logger.InfoContext(ctx, "a refresh token was not revoked", slog.Any("error", err))
		}
	})
}
