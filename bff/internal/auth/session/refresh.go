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

// refreshLease is how long a gateway has the right to refresh a session. It is as long as a refresh may take.
const refreshLease = backgroundTimeout + storeTimeout

var (
	errPaused        = fmt.Errorf("%w: it has just failed", provider.ErrUnavailable)
	errNotIdentified = fmt.Errorf("%w: the access token cannot be verified by other settings now", provider.ErrUnavailable)
	errPanic         = errors.New("the refresh of a session panicked")
	errTaken         = errors.New("another gateway refreshes the session")
	errNotRefreshed  = errors.New("the access token has expired, and was not refreshed in time")
)

// fresh returns the session with an access token that has not expired. One that expires soon is refreshed in the background; one
// that has expired is waited for. It returns ErrNone if the session has ended with its tokens.
func (s *Sessions) fresh(ctx context.Context, a *active) (*active, error) {
	if a.Settings != s.Settings {
		return nil, errNotIdentified
	}

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
		s.refreshAhead(a)
		return a, nil
	}

	if s.Patience > 0 {
		// The refresh goes on, for the next request.
		patient, cancel := context.WithTimeout(ctx, s.Patience)
		defer cancel()

		ctx = patient
	}

	select {
	case <-ctx.Done():
		return nil, errors.Join(errNotRefreshed, ctx.Err())
	case result := <-s.refreshOnce(a):
		refreshed, _ := result.Val.(*active)
		return refreshed, result.Err
	}
}

// endsWithToken reports whether a session without a refresh token ends when its access token expires: that is what says who calls.
func (s *Sessions) endsWithToken() bool { return s.cfg.Identity == config.IdentityAccessToken }

// refreshAhead refreshes a session in the background, unless that is happening already, here or at another gateway.
func (s *Sessions) refreshAhead(a *active) {
	if _, running := s.ahead.LoadOrStore(a.key, true); running {
		return
	}

	s.later(func(ctx context.Context) {
		defer s.ahead.Delete(a.key)

		_, _ = s.refreshed(ctx, a) // It is in the log.
	})
}

// refreshOnce refreshes a session and returns the result. One refresh is for all that wait for it.
func (s *Sessions) refreshOnce(a *active) <-chan singleflight.Result {
	shared := s.refreshing.DoChan(a.key, func() (any, error) {
		ctx, cancel := context.WithTimeout(s.background, backgroundTimeout)
		defer cancel()

		for pause := firstPause; ; pause = min(2*pause, longestPause) {
			current, err := s.refreshed(ctx, a)
			if !errors.Is(err, errTaken) {
				return current, err
			}

			if !wait(ctx, pause) {
				return nil, errors.Join(errNotRefreshed, ctx.Err())
			}
		}
	})
	done := make(chan singleflight.Result, 1)

	s.running.Go(func() { done <- <-shared })

	return done
}

// refreshed refreshes a session, unless another gateway has done so. It returns errTaken while one does.
func (s *Sessions) refreshed(ctx context.Context, a *active) (_ *active, err error) {
	// It would end the process.
	defer func() {
		if v := recover(); v != nil {
			s.Logger.Error(errPanic.Error(), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))

			err = errPanic
		}
	}()

	if s.pauses.now(a.Subject) {
		return nil, errPaused
	}

	name, owner := "refresh:"+a.key, newSecret()

	claimed, err := s.Store.Claim(ctx, name, owner, refreshLease)
	if err != nil {
		return nil, err
	}

	if !claimed {
		if current, err := s.load(ctx, a.key, 0); err != nil || current.Version != a.Version {
			return current, err
		}

		return nil, errTaken
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
