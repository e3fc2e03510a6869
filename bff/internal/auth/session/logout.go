package session

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	// maxLogoutForm is the largest form with a logout token, in bytes.
	maxLogoutForm = 32 << 10
	// logoutLease is how long a gateway has the right to end the sessions that a logout token is about.
	logoutLease = 10 * time.Second
)

// State is what a page may know of its session.
type State struct {
	Subject string   `json:"subject"`
	Issuer  string   `json:"issuer"`
	Tenant  string   `json:"tenant,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	// Profile are claims of the ID token for people to read, such as name and email.
	Profile map[string]any `json:"profile,omitempty"`
	// LoggedInAt is when the session began, ExpiresAt when it ends in any case, and IdleExpiresAt when it ends without requests.
	LoggedInAt    time.Time `json:"logged_in_at"`
	ExpiresAt     time.Time `json:"expires_at"`
	IdleExpiresAt time.Time `json:"idle_expires_at"`
}

// State handles GET of StatePath.
func (s *Sessions) State(w http.ResponseWriter, r *http.Request) {
	current, ok := s.current(w, r)
	if !ok {
		return
	}

	p := current.Principal
	writeJSON(w, State{
		Subject: p.Subject, Issuer: p.Issuer, Tenant: p.Tenant, Scopes: p.Scopes, Roles: p.Roles, Profile: profile(current.Claims),
		LoggedInAt: seconds(current.LoggedIn), ExpiresAt: seconds(current.Until), IdleExpiresAt: seconds(current.IdleUntil),
	})
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// loggedOut is the response to a logout.
type loggedOut struct {
	// LogoutURL is where the browser goes to end its session at the provider as well. Empty: the provider has no such place.
	LogoutURL string `json:"logout_url,omitempty"`
}

// Logout handles POST of LogoutPath. It ends the session or, with everywhere=true, all of its subject.
func (s *Sessions) Logout(w http.ResponseWriter, r *http.Request) {
	if err := s.checkOrigin(r); err != nil {
		p, _ := errors.AsType[*problem.Problem](err)
		problem.Write(w, r, p, err)

		return
	}

	current, ok := s.current(w, r)
	if !ok {
		return
	}

	if p := unknownParameter(r.URL.Query(), "everywhere"); p != nil {
		problem.Write(w, r, p, nil)
		return
	}

	everywhere := r.URL.Query().Get("everywhere")
	if everywhere != "" && everywhere != "true" && everywhere != "false" {
		problem.Write(w, r, problem.New(codes.InvalidArgument, "everywhere must be true or false"), nil)
		return
	}

	var err error

	// This one is the last: while there are others, the user can try again.
	if everywhere == "true" {
		var ended int

		ended, err = s.Store.DeleteAll(r.Context(), subjectLabel(current.Issuer, current.Subject))
		s.logEnded(r.Context(), "browser", current.Principal.Subject, ended)
	}

	if err == nil {
		err = s.Store.Delete(r.Context(), current.key)
	}

	if err != nil {
		p := problem.New(codes.Unavailable, "the session cannot be ended at the moment")
		p.RetryAfter = retryAfter
		problem.Write(w, r, p, err)

		return
	}

	s.revoke(current.content)
	s.Observer.ObserveSession("logout", "browser")
	s.dropCookie(w)
	// What the browser has stored of the session's responses goes with it.
	w.Header().Set("Clear-Site-Data", `"cache"`)
	writeJSON(w, loggedOut{LogoutURL: s.logoutURL(r, current)})
}

// logoutURL returns where the browser goes to end its session at the provider. The session here has ended in any case.
func (s *Sessions) logoutURL(r *http.Request, ended *active) string {
	returnTo := s.cfg.LoggedOutURL
	if returnTo == "" {
		origin, err := s.publicOrigin(r)
		if err != nil {
			return ""
		}

		returnTo = origin + "/"
	}

	location, err := s.Provider.LogoutURL(r.Context(), ended.ID, returnTo)
	if err != nil {
		s.Logger.WarnContext(r.Context(), "a session was ended here and not at the provider", slog.Any("error", err))
	}

	return location
}

// current returns the session of a request to a page of its own, which does not prolong it. If there is none, it writes the
// response. The browser is told to drop the cookie of one that has ended.
func (s *Sessions) current(w http.ResponseWriter, r *http.Request) (*active, bool) {
	id, err := s.cookie(r)
	if err != nil || id == "" {
		p := problem.New(codes.Unauthenticated, "there is no session").Because(reqinfo.ReasonNoCredential)
		_ = errors.As(err, &p)
		problem.Write(w, r, p, err)

		return nil, false
	}

	current, err := s.load(r.Context(), keyOf(id), 0)

	switch rec := reqinfo.From(r.Context()); {
	case err == nil:
		if rec.Principal.Anonymous() {
			rec.Principal, rec.Session = reqinfo.Principal(current.Principal), true
		}

		return current, true
	case errors.Is(err, ErrNone):
		rec.SessionEnded = true
		s.dropCookie(w)
		problem.Write(w, r, problem.New(codes.Unauthenticated, "the session has ended").Because(reqinfo.ReasonSessionEnded), err)
	default:
		err = unavailable(err)
		p, _ := errors.AsType[*problem.Problem](err)
		problem.Write(w, r, p, err)
	}

	return nil, false
}

// Backchannel handles POST of BackchannelPath (OpenID Connect Back-Channel Logout 1.0, section 2.5).
func (s *Sessions) Backchannel(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutForm)

	refuse := func(cause error) {
		s.Observer.ObserveSession("logout", "refused")
		problem.Write(w, r, problem.New(codes.InvalidArgument, "logout_token is not one of the provider for this client"), cause)
	}

	if err := r.ParseForm(); err != nil || len(r.PostForm["logout_token"]) != 1 {
		refuse(err)
		return
	}

	logout, err := s.Provider.VerifyLogout(r.Context(), r.PostForm.Get("logout_token"))
	if err == nil {
		err = s.endAll(r, logout)
	}

	switch {
	case err == nil:
		s.Observer.ObserveSession("logout", "provider")
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, provider.ErrUnavailable), errors.Is(err, errStore):
		problem.Write(w, r, problem.New(codes.Unavailable, "the sessions cannot be ended at the moment"), err)
	default:
		refuse(err)
	}
}

// endAll ends the sessions that a logout token is about.
func (s *Sessions) endAll(r *http.Request, logout provider.Logout) error {
	name, owner := "logout:"+hash("jti", logout.ID), newSecret()

	// The provider may send it again if this gateway ends before the sessions do.
	first, err := s.Store.Claim(r.Context(), name, owner, logoutLease)
	if err != nil {
		return errors.Join(errStore, err)
	}

	if !first {
		return errReplayed
	}

	// With a session it is about that alone (section 2.4).
	label := sessionLabel(s.cfg.Issuer, logout.SessionID)
	if logout.SessionID == "" {
		label = subjectLabel(s.cfg.Issuer, logout.Subject)
	}

	ended, err := s.Store.DeleteAll(r.Context(), label)
	s.logEnded(r.Context(), "provider", logout.Subject, ended)

	if err == nil {
		_, err = s.Store.Claim(r.Context(), name, owner, time.Until(logout.Until))
	}

	if err != nil {
		return errors.Join(errStore, err, s.Store.Release(r.Context(), name, owner))
	}

	return nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error means that the client is gone.
	_ = json.NewEncoder(w).Encode(v)
}
