package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

const (
	// refreshLease is how long a gateway has the right to refresh a session. It is longer than a refresh may take.
	refreshLease = 30 * time.Second
	// refreshPoll is how often a gateway looks whether another one has refreshed a session.
	refreshPoll = 20 * time.Millisecond
	// refreshPause is how long a provider that has failed is not asked again.
	refreshPause = time.Second
)

var (
	errOtherSubject = errors.New("the provider has issued tokens of another subject")
	errPaused       = fmt.Errorf("%w: it has just failed", provider.ErrUnavailable)
	errNotRefreshed = errors.New("the access token has expired, and another gateway has not refreshed it in time")
)

// fresh returns the session with an access token that has not expired. One that expires soon is refreshed in the background; one
// that has expired is waited for. It returns ErrNone if the session has ended with its tokens.
func (s *Sessions) fresh(ctx context.Context, a *active) (*active, error) {
	if a.AccessUntil.IsZero() {
		return a, nil
	}

	now := time.Now()
	left := a.AccessUntil.Sub(now)

	switch {
	case now.Before(a.refreshAt(s.cfg.RefreshAhead)):
		return a, nil
	case a.Refresh == "" && (left > 0 || !s.endsWithToken()):
		return a, nil
	case a.Refresh == "":
		return nil, s.end(ctx, a.key, "expired")
	case left > 0:
		s.refreshOnce(a)
		return a, nil
	}

	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-s.refreshOnce(a):
		refreshed, _ := result.Val.(*active)
		return refreshed, result.Err
	}
}

// endsWithToken reports whether a session without a refresh token ends when its access token expires: that is what says who calls.
func (s *Sessions) endsWithToken() bool { return s.cfg.Identity == config.IdentityAccessToken }

// refreshOnce refreshes a session, unless that is happening already.
func (s *Sessions) refreshOnce(a *active) <-chan singleflight.Result {
	shared := s.refreshing.DoChan(a.key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), backgroundTimeout)
		defer cancel()

		return s.refreshed(ctx, a)
	})
	done := make(chan singleflight.Result, 1)

	s.running.Go(func() { done <- <-shared })

	return done
}

// refreshed refreshes a session, or waits until another gateway has done so.
func (s *Sessions) refreshed(ctx context.Context, a *active) (*active, error) {
	name, owner := "refresh:"+a.key, newSecret()

	if s.pausedUntil.Load() > time.Now().UnixNano() {
		return nil, errPaused
	}

	for {
		claimed, err := s.Store.Claim(ctx, name, owner, refreshLease)
		if err != nil {
			return nil, err
		}

		if claimed {
			break
		}

		select {
		case <-ctx.Done():
			return nil, errors.Join(errNotRefreshed, ctx.Err())
		case <-time.After(refreshPoll):
		}

		if current, err := s.load(ctx, a.key, 0); err != nil || current.Version != a.Version {
			return current, err
		}
	}

	// The next one need not wait for the end of the lease, whatever becomes of ctx.
	defer func() {
		if err := s.Store.Release(context.WithoutCancel(ctx), name, owner); err != nil {
			s.Logger.DebugContext(ctx, "the right to refresh a session was not given back", slog.Any("error", err))
		}
	}()

	current, err := s.load(ctx, a.key, 0)
	if err != nil || current.Version != a.Version {
		return current, err
	}

	return s.refresh(ctx, current)
}

// refresh asks the provider for new tokens. The caller has the right to.
func (s *Sessions) refresh(ctx context.Context, a *active) (*active, error) {
	next, err := s.renewed(ctx, a)

	switch {
	case errors.Is(err, provider.ErrRefused), errors.Is(err, errOtherSubject):
		s.Observer.ObserveSession("refresh", "refused")
		s.Logger.InfoContext(ctx, "a session ended: its tokens cannot be refreshed",
			slog.String("subject", a.Principal.Subject), slog.Any("error", err))

		return nil, s.end(ctx, a.key, "refused")
	case err != nil:
		s.pausedUntil.Store(time.Now().Add(refreshPause).UnixNano())
		s.Observer.ObserveSession("refresh", "failed")
		s.Logger.WarnContext(ctx, "a session was not refreshed", slog.Any("error", err))

		return nil, err
	}

	data, err := next.seal(s.Vault(), a.key)
	if err != nil {
		return nil, err
	}

	if err := s.Store.Replace(ctx, a.key, a.Version, data); err != nil {
		// It has ended meanwhile, and nobody will use the new token.
		if errors.Is(err, ErrNone) {
			s.revoke(next)
		}

		return nil, err
	}

	s.Observer.ObserveSession("refresh", "done")

	refreshed := *a
	refreshed.content, refreshed.Version = next, a.Version+1

	return &refreshed, nil
}

// renewed returns the content of a session with new tokens.
func (s *Sessions) renewed(ctx context.Context, a *active) (content, error) {
	tokens, err := s.Provider.Refresh(ctx, a.Refresh)
	if err != nil {
		return content{}, err
	}

	next := a.content
	// An ID token need not come again; the caller is then who it was.
	principal, until := a.Principal, time.Time{}

	if tokens.ID != "" && tokens.Subject() != a.Subject {
		return content{}, errOtherSubject
	}

	if tokens.ID != "" || s.endsWithToken() {
		if principal, until, err = s.Identify(ctx, tokens); err != nil {
			return content{}, refusedUnlessUnavailable(err)
		}
	}

	if principal.Subject != a.Principal.Subject || principal.Issuer != a.Principal.Issuer {
		return content{}, errOtherSubject
	}

	next.take(tokens, principal, until)

	return next, nil
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
