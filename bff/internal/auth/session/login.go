package session

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// The paths of the pages.
const (
	// LoginPath sends the browser to the provider: GET, with the parameter return_to.
	LoginPath = "/auth/login"
	// CallbackPath is where the provider sends it back: GET.
	CallbackPath = "/auth/callback"
	// LogoutPath ends the session: POST.
	LogoutPath = "/auth/logout"
	// StatePath says whose session it is, and for how long: GET.
	StatePath = "/auth/session"
	// BackchannelPath takes the logout tokens of the provider: POST.
	BackchannelPath = "/auth/backchannel-logout"
)

const (
	// loginCookie binds a login to the browser that has begun it.
	loginCookie = "__Host-portico-login"
	// loginLife is how long a user may take to log in.
	loginLife = 10 * time.Minute
	// sealedState is the purpose of what is sealed in the state of a login.
	sealedState = "login"
	// maxReturn is the length of the longest place to return to, in bytes. It is in the state, which is in a URL.
	maxReturn = 1024
)

// Causes for the log.
var (
	errReturn   = errors.New("return_to is no path of the gateway")
	errHost     = errors.New("auth.sessions.public_url is not set, and the host of the request is no name of loopback")
	errState    = errors.New("the state is not one of a login")
	errTooLate  = errors.New("the login has taken too long")
	errBrowser  = errors.New("another browser has begun the login")
	errReplayed = errors.New("the callback was opened before")
	errDenied   = errors.New("the provider has refused the login")
	errNoCode   = errors.New("the callback has no code, or more than one")
)

// attempt is a login that has begun. It is kept, sealed, in the state that the provider passes back: a login that nobody finishes
// leaves nothing behind.
type attempt struct {
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	// Browser is a hash of the cookie of the browser.
	Browser  string    `json:"b"`
	ReturnTo string    `json:"r"`
	Redirect string    `json:"u"`
	Until    time.Time `json:"t"`
}

// Login handles GET of LoginPath.
func (s *Sessions) Login(w http.ResponseWriter, r *http.Request) {
	returnTo, err := s.returnTo(r.URL.Query())
	if err != nil {
		problem.Write(w, r, problem.New(codes.InvalidArgument, "return_to must be a path of this gateway, such as /app"), err)
		return
	}

	origin, err := s.publicOrigin(r)
	if err != nil {
		problem.Write(w, r, problem.New(codes.FailedPrecondition, "logins are not possible under this host"), err)
		return
	}

	browser, ok := s.browser(r)
	if !ok {
		browser = newSecret()
	}

	begun := attempt{
		Nonce: newSecret(), Verifier: newSecret(), Browser: hash("browser", browser), ReturnTo: returnTo,
		Redirect: origin + CallbackPath, Until: time.Now().Add(loginLife),
	}

	location, err := s.Provider.AuthorizationURL(r.Context(), provider.Login{
		State: s.state(begun), Nonce: begun.Nonce, Verifier: begun.Verifier, RedirectURL: begun.Redirect,
	})
	if err != nil {
		s.Observer.ObserveSession("login", "unavailable")
		s.failed(w, r, problem.New(codes.Unavailable, "nobody can log in at the moment"), err)

		return
	}

	// The callback is a navigation that begins at another site.
	setCookie(w, loginCookie, browser, http.SameSiteLaxMode, loginLife)
	redirect(w, location)
}

// browser returns the secret that binds logins to a browser, if it has one. Logins in several tabs share it.
func (s *Sessions) browser(r *http.Request) (string, bool) {
	value, count := cookieNamed(r, loginCookie)

	return value, count == 1 && isSecret(value)
}

func (s *Sessions) state(a attempt) string {
	text, _ := json.Marshal(a) // Texts and a time in this century always encode.

	return base64.RawURLEncoding.EncodeToString(s.Vault().Seal(text, sealedState))
}

// attempt returns the login that a state is of.
func (s *Sessions) attempt(state string) (a attempt, err error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(state)
	if err != nil {
		return attempt{}, fmt.Errorf("%w: %w", errState, err)
	}

	text, err := s.Vault().Open(sealed, sealedState)
	if err != nil {
		return attempt{}, fmt.Errorf("%w: %w", errState, err)
	}

	if err := json.Unmarshal(text, &a); err != nil {
		return attempt{}, fmt.Errorf("%w: %w", errState, err)
	}

	return a, nil
}

// Callback handles GET of CallbackPath.
func (s *Sessions) Callback(w http.ResponseWriter, r *http.Request) {
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

	outcome, p := "refused", problem.New(codes.InvalidArgument, "this login cannot be finished: begin it again")

	switch {
	case errors.Is(err, errDenied):
		outcome, p = "denied", problem.New(codes.PermissionDenied, "the login was refused")
	case errors.Is(err, provider.ErrRefused):
	case errors.Is(err, provider.ErrUnavailable), errors.Is(err, errStore):
		outcome, p = "unavailable", problem.New(codes.Unavailable, "nobody can log in at the moment")
	}

	s.Observer.ObserveSession("login", outcome)
	s.failed(w, r, p, err)
}

// errStore marks failures of the store.
var errStore = errors.New("the store of sessions")

// begun returns the login that a callback finishes, if the same browser has begun it, and nobody has finished it yet.
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
		return attempt{}, errBrowser
	case time.Now().After(begun.Until):
		return attempt{}, errTooLate
	}

	if err := s.Provider.CheckIssuer(r.Context(), query); err != nil {
		return attempt{}, err
	}

	first, err := s.Store.Claim(r.Context(), "login:"+hash("nonce", begun.Nonce), "", loginLife)

	switch {
	case err != nil:
		return attempt{}, fmt.Errorf("%w: %w", errStore, err)
	case !first:
		return attempt{}, errReplayed
	default:
		return begun, nil
	}
}

// finish exchanges the code and begins a session, with a new id.
func (s *Sessions) finish(w http.ResponseWriter, r *http.Request, query url.Values, begun attempt) error {
	if code := query.Get("error"); code != "" {
		return fmt.Errorf("%w: %.100q: %.300q", errDenied, code, query.Get("error_description"))
	}

	if len(query["code"]) != 1 {
		return errNoCode
	}

	tokens, err := s.Provider.Exchange(r.Context(), query.Get("code"), provider.Login{
		Nonce: begun.Nonce, Verifier: begun.Verifier, RedirectURL: begun.Redirect,
	})
	if err != nil {
		return err
	}

	principal, until, err := s.Identify(r.Context(), tokens)
	if err != nil {
		return refusedUnlessUnavailable(err)
	}

	started := content{Issuer: s.cfg.Issuer, Subject: tokens.Subject(), LoggedIn: time.Now()}
	started.take(tokens, principal, until)

	id, err := s.create(r.Context(), started, tokens.SessionID())
	if err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}

	s.endBefore(r)
	setCookie(w, s.cfg.Cookie, id, s.sameSite(), 0)

	return nil
}

// create stores a session under a new id.
func (s *Sessions) create(ctx context.Context, c content, sid string) (id string, err error) {
	id = newSecret()
	key := keyOf(id)

	data, err := c.seal(s.Vault(), key)
	if err != nil {
		return "", err
	}

	labels := []string{subjectLabel(c.Issuer, c.Subject)}
	if sid != "" {
		labels = append(labels, sessionLabel(c.Issuer, sid))
	}

	err = s.Store.Create(ctx, Entry{
		Key: key, Data: data, Idle: s.cfg.IdleTimeout, Lifetime: s.cfg.MaxLifetime, Labels: labels,
	})

	return id, err
}

// endBefore ends the session that the browser had before: its id is not used any more.
func (s *Sessions) endBefore(r *http.Request) {
	id, err := s.cookie(r)
	if err != nil || id == "" {
		return
	}

	s.later(func(ctx context.Context) {
		before, err := s.load(ctx, keyOf(id), 0)
		if err == nil {
			s.revoke(before.content)

			err = s.Store.Delete(ctx, keyOf(id))
		}

		if err != nil && !errors.Is(err, ErrNone) {
			s.Logger.WarnContext(ctx, "the session before a login was not ended", slog.Any("error", err))
		}
	})
}

// returnTo returns where a browser goes after its login: a path of the gateway, or of one of the origins that the settings name.
func (s *Sessions) returnTo(query url.Values) (string, error) {
	switch values := query["return_to"]; {
	case len(values) == 0:
		return "/", nil
	case len(values) > 1 || !s.mayReturn(values[0]):
		return "", fmt.Errorf("%w: %.300q", errReturn, values)
	default:
		return values[0], nil
	}
}

func (s *Sessions) mayReturn(text string) bool {
	// Browsers drop control characters, and take a backslash for a slash (URL standard, section 4.4).
	odd := func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }
	if len(text) > maxReturn || strings.ContainsFunc(text, odd) {
		return false
	}

	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}

	if u.Scheme != "" || u.Host != "" {
		return slices.Contains(s.cfg.ReturnOrigins, u.Scheme+"://"+u.Host)
	}

	// The pages for logins would go round in circles.
	own := func(path string) bool { return u.Path == path || strings.HasPrefix(u.Path, path+"/") }

	return strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && !own(LoginPath) && !own(CallbackPath)
}

// publicOrigin returns the origin under which the browser sees the gateway.
func (s *Sessions) publicOrigin(r *http.Request) (string, error) {
	if s.cfg.PublicURL != "" {
		return s.cfg.PublicURL, nil
	}

	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}

	if !config.IsLoopback(strings.Trim(host, "[]")) {
		return "", fmt.Errorf("%w: %.200q", errHost, r.Host)
	}

	if r.TLS != nil {
		return "https://" + r.Host, nil
	}

	return "http://" + r.Host, nil
}

// redirect sends the browser elsewhere with a GET.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}
