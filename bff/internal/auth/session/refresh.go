package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
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
)

var (
	errPaused       = fmt.Errorf("%w: it has just failed", provider.ErrUnavailable)
	errPanic        = errors.New("the refresh of a session panicked")
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
	shared := s.refreshing.DoChan(a.key, func() (_ any, err error) {
		// The library would end the process.
		defer func() {
			if v := recover(); v != nil {
				s.Logger.Error(errPanic.Error(), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))

				err = errPanic
			}
		}()

		ctx, cancel := context.WithTimeout(s.background, backgroundTimeout)
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

		if !wait(ctx, refreshPoll) {
			return nil, errors.Join(errNotRefreshed, ctx.Err())
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

// wait waits, unless the context ends.
func wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}
