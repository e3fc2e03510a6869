package session

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// storeTimeout is how long a gateway tries to store new tokens, such as while another Redis takes over.
const storeTimeout = 20 * time.Second

var errOtherSubject = errors.New("the provider has issued tokens of another subject")

// refresh asks the provider for new tokens. The caller has the right to.
func (s *Sessions) refresh(ctx context.Context, a *active) (*active, error) {
	next, err := s.renewed(ctx, a)

	switch {
	case errors.Is(err, provider.ErrRefused), errors.Is(err, errOtherSubject), errors.Is(err, errNotAccepted):
		if next.Refresh != a.Refresh {
			s.revoke(next)
		}

		// A gateway that was too slow for its lease is refused because another one has used the refresh token.
		if current, err := s.load(ctx, a.key, 0); err != nil || current.Version != a.Version {
			return current, err
		}

		s.Observer.ObserveSession("refresh", refusalOutcome(err))
		s.Logger.Log(ctx, refusalLevel(err), "a session ended: its tokens cannot be refreshed",
			slog.String("subject", a.Principal.Subject), slog.Any("error", err))

		return nil, s.end(ctx, a.key, "refused")
	case err != nil:
		s.notRefreshed(ctx, a, next, err)

		return nil, err
	}

	refreshed, err := s.replace(ctx, a, next)
	if err != nil {
		return nil, err
	}

	s.pauses.succeeded()
	s.Observer.ObserveSession("refresh", "done")

	return refreshed, nil
}

// notRefreshed records that tokens could not be had, or not be verified. The session lasts.
func (s *Sessions) notRefreshed(ctx context.Context, a *active, next content, cause error) {
	// What is wrong with one request says nothing about those for others.
	if !errors.Is(cause, provider.ErrClient) {
		s.pauses.failed(a.Subject)
	}

	s.Observer.ObserveSession("refresh", "failed")
	s.logNotRefreshed(ctx, a, cause)

	// The refresh token before is not valid any more, if there is another one.
	if next.Refresh != a.Refresh {
		if _, err := s.replace(ctx, a, next); err != nil {
			s.Logger.WarnContext(ctx, "a new refresh token was not stored", slog.Any("error", err))
		}
	}
}

// replace stores new content of a session. It tries for a while, even if ctx has ended: nobody else has the tokens.
func (s *Sessions) replace(ctx context.Context, a *active, next content) (*active, error) {
	data, err := next.seal(s.Vault(), a.key)
	if err != nil {
		return nil, err
	}

	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()

	// After Close there are no other attempts.
	trying, cancel := context.WithTimeout(s.background, storeTimeout)
	defer cancel()

	another := false

	err = again(trying, func() error {
		err := s.Store.Replace(storing, a.key, a.Version, data)
		if another = errors.Is(err, ErrNone); another {
			return nil
		}

		return err
	})

	switch {
	case err != nil:
		return nil, err
	case another:
		return s.replaced(storing, a, next)
	}

	refreshed := *a
	refreshed.content, refreshed.Version = next, a.Version+1

	return &refreshed, nil
}

// replaced returns what is stored in place of a session that had another version. That may be the new content, if the reply to the
// first attempt was lost. If the session has ended, nobody will use the new tokens. If it has others, the provider may take these
// for the same login, so they are not revoked.
func (s *Sessions) replaced(ctx context.Context, a *active, next content) (*active, error) {
	current, err := s.load(ctx, a.key, 0)

	if errors.Is(err, ErrNone) {
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

	if !a.continues(tokens) {
		return next, errOtherSubject
	}

	if tokens.Scopes == nil {
		tokens.Scopes = a.Scopes // RFC 6749, section 6.
	}

	if tokens.ID != "" || s.endsWithToken() {
		if principal, until, err = s.Identify(ctx, tokens); err != nil {
			return next, notAcceptedUnlessUnavailable(err)
		}
	}

	if principal.Subject != a.Principal.Subject || principal.Issuer != a.Principal.Issuer {
		return next, errOtherSubject
	}

	next.Settings = s.Settings

	return next.with(tokens, principal, until), nil
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
