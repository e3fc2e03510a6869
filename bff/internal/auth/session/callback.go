package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Causes for the log.
var (
	errState    = errors.New("the state is not one of a login")
	errTooLate  = errors.New("the login has taken too long")
	errBrowser  = errors.New("another browser has begun the login")
	errReplayed = errors.New("it came before")
	errDenied   = errors.New("the provider has refused the login")
	errTooMany  = errors.New("the provider is waited for by as many logins as may be")
	errNoCode   = errors.New("the callback has no code, or more than one")
	// errStore marks failures of the store.
	errStore = errors.New("the store of sessions")
)

// Callback handles GET of CallbackPath. It must not get HEAD.
func (s *Sessions) Callback(w http.ResponseWriter, r *http.Request) {
	if !s.enter(w, r, s.finishing) {
		return
	}
	defer s.finishing.Release(1)

	query := r.URL.Query()

	begun, err := s.begun(r, query)
	if err == nil {
		err = s.finish(w, r, query, begun)
	}

	if err == nil {
		s.Observer.ObserveSession("login", "done")
		redirect(w, begun.ReturnTo)

		return
	}

	outcome, p := callbackFailed(err)
	s.Observer.ObserveSession("login", outcome)
	s.loginFailed(w, r, begun.ReturnTo, p, err)
}

// begun returns the login that a callback finishes, if the same browser has begun it, and nobody has finished it yet. With an
// error, it returns what the state says, if that can be read.
func (s *Sessions) begun(r *http.Request, query url.Values) (attempt, error) {
	if len(query["state"]) != 1 {
		return attempt{}, errState
	}

	begun, err := s.attempt(query.Get("state"))
	if err != nil {
		return attempt{}, err
	}

	browser, ok := s.browser(r)

	switch {
	case !ok || hash("browser", browser) != begun.Browser:
		return begun, errBrowser
	case !time.Now().Before(begun.Until):
		return begun, errTooLate
	}

	if err := s.Provider.CheckIssuer(r.Context(), query); err != nil {
		return begun, err
	}

	// Only a code is used up.
	switch {
	case query.Has("error"):
		return begun, fmt.Errorf("%w: %.300q: %.300q", errDenied, query["error"], query.Get("error_description"))
	case len(query["code"]) != 1:
		return begun, errNoCode
	}

	first, err := s.Store.Claim(r.Context(), "login:"+hash("nonce", begun.Nonce), newSecret(), loginLife)

	switch {
	case err != nil:
		return begun, fmt.Errorf("%w: %w", errStore, err)
	case !first:
		return begun, errReplayed
	default:
		return begun, nil
	}
}

// finish exchanges the code and begins a session, with a new id.
func (s *Sessions) finish(w http.ResponseWriter, r *http.Request, query url.Values, begun attempt) error {
	// By this gateway's clock, since the callback at the latest.
	now := time.Now()
	began := now.Add(-max(0, loginLife-begun.Until.Sub(now)))

	tokens, err := s.Provider.Exchange(r.Context(), query.Get("code"), provider.Login{
		Nonce: begun.Nonce, Verifier: begun.Verifier, RedirectURL: begun.Redirect,
	})
	if err != nil {
		return err
	}

	id, err := s.start(r.Context(), tokens, began)
	if err != nil {
		// Nobody will use it. The session before may end with it.
		if begun.Before == "" {
			s.revoke(content{Refresh: tokens.Refresh})
		}

		return err
	}

	s.endBefore(r, begun, tokens)

	setCookie(w, s.cfg.Cookie, id, s.sameSite(), 0)

	return nil
}

// start begins a session with the tokens of a login, under a new id.
func (s *Sessions) start(ctx context.Context, tokens provider.Tokens, began time.Time) (id string, err error) {
	principal, until, err := s.Identify(ctx, tokens)
	if err != nil {
		return "", notAcceptedUnlessUnavailable(err)
	}

	started := content{
		Issuer: s.cfg.Issuer, Subject: tokens.Subject(), SID: tokens.SessionID(), Nonce: tokens.Nonce(), Settings: s.Settings,
		LoggedIn: time.Now(),
	}.with(tokens, principal, until)

	id = newSecret()
	key := keyOf(id)

	data, err := started.seal(s.Vault(), key)
	if err != nil {
		return "", err
	}

	err = s.Store.Create(ctx, Entry{
		Key: key, Data: data, Idle: s.cfg.IdleTimeout, Lifetime: s.cfg.MaxLifetime, Labels: started.labels(),
		Age: time.Since(began),
	})

	switch {
	case errors.Is(err, ErrEnded):
		return "", err
	case err != nil:
		return "", fmt.Errorf("%w: %w", errStore, err)
	}

	s.logFewerScopes(ctx, tokens)

	reqinfo.From(ctx).Principal = principal // The log says who has logged in.

	return id, nil
}

// endBefore ends the session that the browser had when it began the login, and the one that it has now: their ids are not used any
// more. The refresh token of the one before is not revoked if that may end the new session as well.
func (s *Sessions) endBefore(r *http.Request, begun attempt, tokens provider.Tokens) {
	keys := []string{begun.Before}
	if id, err := s.cookie(r); err == nil && id != "" && keyOf(id) != begun.Before {
		keys = append(keys, keyOf(id))
	}

	for _, key := range keys {
		if key == "" {
			continue
		}

		s.later(func(ctx context.Context) {
			before, _ := s.load(ctx, key, 0) // It ends even if it cannot be read.
			if before != nil && !before.sharesLogin(tokens) {
				s.revoke(before.content)
			}

			if err := again(ctx, func() error { return s.Store.Delete(ctx, key) }); err != nil {
				s.Logger.WarnContext(ctx, "the session before a login was not ended", slog.Any("error", err))
			}
		})
	}
}
