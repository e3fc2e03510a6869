// Package session lets browsers log in at an OpenID provider through the gateway, and call with a cookie. It is the backend of the
// pattern "backend for frontend" of OAuth 2.0 for Browser-Based Applications (draft-ietf-oauth-browser-based-apps, section 6.1):
// tokens stay in a store of the gateway, sealed, and the browser has an id that no script can read.
//
// It finds out who calls (Find), and serves the pages below /auth/. Whether a caller may call is decided as for tokens.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Provider is what an OpenID provider is asked; see package provider.
type Provider interface {
	AuthorizationURL(ctx context.Context, login provider.Login) (string, error)
	CheckIssuer(ctx context.Context, response url.Values) error
	Exchange(ctx context.Context, code string, login provider.Login) (provider.Tokens, error)
	Refresh(ctx context.Context, refreshToken string) (provider.Tokens, error)
	Revoke(ctx context.Context, refreshToken string) error
	LogoutURL(ctx context.Context, idToken, returnTo string) (string, error)
	VerifyLogout(ctx context.Context, token string) (provider.Logout, error)
}

// Observer is told what becomes of sessions. It must be safe for concurrent use.
type Observer interface {
	// ObserveSession counts an event: "login", "refresh", "logout" or "end", with its outcome.
	ObserveSession(event, outcome string)
}

// Deps are the collaborators of Sessions.
type Deps struct {
	Store    Store
	Provider Provider
	// Vault returns the keys as of now.
	Vault func() *vault.Vault
	// Identify returns the caller that tokens identify, and until when; the zero time: the tokens do not say. An error means that
	// they identify nobody, unless it wraps provider.ErrUnavailable.
	Identify func(ctx context.Context, tokens provider.Tokens) (reqinfo.Principal, time.Time, error)
	// Settings are a digest of those by which Identify decides.
	Settings string
	// Patience is how long a request may wait for a refresh. Zero: as long as that may take.
	Patience time.Duration
	// TrustedOrigins are those whose pages may change something, besides the gateway's own.
	TrustedOrigins []string
	Logger         *slog.Logger
	Observer       Observer
}

// Sessions are the sessions of browsers. They are safe for concurrent use.
type Sessions struct {
	Deps

	cfg        config.Sessions
	origins    *http.CrossOriginProtection
	refreshing singleflight.Group
	// ahead are the keys of the sessions that are refreshed although nobody waits.
	ahead  sync.Map
	pauses pauses
	// beginning and finishing bound the logins that are under way, which anyone can begin.
	beginning, finishing *semaphore.Weighted
	// notRefreshedLogged is when the log has last said that a session was not refreshed, and fewerScopes the scopes that it has
	// said were not granted.
	notRefreshedLogged atomic.Int64
	fewerScopes        sync.Map

	// background is the context of work that no request waits for, until Close.
	background context.Context //nolint:containedctx // It is that of the Sessions themselves.
	stop       context.CancelFunc
	running    sync.WaitGroup
}

// New returns the sessions as the settings say, which must be valid. The caller closes them.
func New(cfg config.Sessions, deps Deps) (*Sessions, error) {
	s := &Sessions{
		Deps: deps, cfg: cfg, origins: http.NewCrossOriginProtection(),
		beginning: semaphore.NewWeighted(maxLogins), finishing: semaphore.NewWeighted(maxLogins),
	}
	trusted := deps.TrustedOrigins

	// A proxy may send another host than the one that browsers see.
	if cfg.PublicURL != "" {
		trusted = append(slices.Clone(trusted), cfg.PublicURL)
	}

	for _, origin := range trusted {
		if err := s.origins.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("sessions: trusted origin: %w", err)
		}
	}

	s.background, s.stop = context.WithCancel(context.Background())

	return s, nil
}

// Close waits for what runs in the background, and ends it after a few seconds. No request may be served any more.
func (s *Sessions) Close() error {
	// A refresh that is cut off loses the new refresh token, and with it the session.
	late := time.AfterFunc(closeGrace, s.stop)
	defer late.Stop()

	s.running.Wait()
	s.stop()

	return nil
}

// later does something that no request waits for, unless the sessions are closed.
func (s *Sessions) later(do func(ctx context.Context)) {
	if s.background.Err() != nil {
		return
	}

	s.running.Go(func() {
		ctx, cancel := context.WithTimeout(s.background, backgroundTimeout)
		defer cancel()

		do(ctx)
	})
}

const (
	// backgroundTimeout bounds what no request waits for.
	backgroundTimeout = 20 * time.Second
	// closeGrace is how long Close waits for it. Most providers reply in less.
	closeGrace = 5 * time.Second
)

// Found is the session of a request.
type Found struct {
	Principal reqinfo.Principal
	// Authorization is the header that the session's access token makes; empty if it has expired.
	Authorization string
}

// Find returns the session that the cookie of a request names. It reports false if there is no cookie, or if the session has ended,
// which it writes on the request's record. The browser keeps the cookie: it may have another one already when the response comes.
// An error is a *problem.Problem with its cause.
//
// The pages of this package look for the session themselves: they need no access token, which nobody may be able to refresh.
func (s *Sessions) Find(r *http.Request) (Found, bool, error) {
	rec := reqinfo.From(r.Context())
	rec.Login = LoginPath

	if isPage(r.URL.Path) {
		return Found{}, false, nil
	}

	id, err := s.cookie(r)
	if err != nil || id == "" {
		return Found{}, false, err
	}

	if err := s.checkOrigin(r); err != nil {
		return Found{}, false, err
	}

	current, err := s.load(r.Context(), keyOf(id), s.cfg.IdleTimeout)
	if err == nil {
		rec.Principal = reqinfo.Principal(current.Principal) // The log says whose session it is, even if it cannot be refreshed.
		current, err = s.fresh(r.Context(), current)
	}

	switch {
	case errors.Is(err, ErrNone):
		rec.SessionEnded = true
		return Found{}, false, nil
	case err != nil:
		return Found{}, false, unavailable(err)
	}

	return Found{Principal: reqinfo.Principal(current.Principal), Authorization: current.authorization(time.Now())}, true, nil
}

// load returns the session with this key. It returns ErrNone if there is none, also if it was sealed by a key that is not used any
// more, belongs to another issuer, or is older than sessions may be.
func (s *Sessions) load(ctx context.Context, key string, idle time.Duration) (*active, error) {
	stored, err := s.Store.Load(ctx, key, idle)
	if err != nil {
		return nil, err
	}

	a := &active{key: key, Stored: stored}
	if err := a.open(s.Vault()); err != nil {
		s.Logger.DebugContext(ctx, "a session cannot be read", slog.Any("error", err))

		return nil, ErrNone
	}

	// The store has the setting of when the session began, and may have been rewritten since.
	if end := a.LoggedIn.Add(s.cfg.MaxLifetime); end.Before(a.Until) {
		a.Until = end
	}

	if a.Until.Before(a.IdleUntil) {
		a.IdleUntil = a.Until
	}

	if a.Issuer != s.cfg.Issuer || !time.Now().Before(a.Until) {
		return nil, ErrNone
	}

	return a, s.identifyAgain(ctx, a)
}

// RevokeSubject ends all sessions of a subject, by the name that the gateway or the provider has for it, and returns how many. It
// is for operators.
func (s *Sessions) RevokeSubject(ctx context.Context, subject string) (int, error) {
	ended := 0

	for _, label := range []string{principalLabel(s.cfg.Issuer, subject), subjectLabel(s.cfg.Issuer, subject)} {
		n, err := s.Store.DeleteAll(ctx, label)
		if ended += n; err != nil {
			return ended, fmt.Errorf("end sessions: %w", err)
		}
	}

	if ended > 0 {
		s.Observer.ObserveSession("logout", "operator")
	}

	return ended, nil
}

// end ends a session because of what became of its tokens.
func (s *Sessions) end(ctx context.Context, key, reason string) error {
	s.Observer.ObserveSession("end", reason)

	if err := s.Store.Delete(ctx, key); err != nil {
		return err
	}

	return ErrNone
}
