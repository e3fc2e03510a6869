package session

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/httpfield"
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

func isPage(path string) bool {
	switch path {
	case LoginPath, CallbackPath, LogoutPath, StatePath, BackchannelPath:
		return true
	default:
		return false
	}
}

const (
	// loginCookie binds a login to the browser that has begun it.
	loginCookie = config.LoginCookie
	// loginLife is how long a user may take to log in.
	loginLife = 10 * time.Minute
	// maxLogins is how many logins a gateway begins at the same time, and how many it finishes: each waits for the provider.
	maxLogins = 100
	// sealedState is the purpose of what is sealed in the state of a login.
	sealedState = "login"
)

// attempt is a login that has begun. It is kept, sealed, in the state that the provider passes back: a login that nobody finishes
// leaves nothing behind.
type attempt struct {
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	// Browser is a hash of the cookie of the browser.
	Browser string `json:"b"`
	// Before is the key of the session that the browser has. Its cookie may not come with the callback, which begins at another
	// site.
	Before   string    `json:"s,omitempty"`
	ReturnTo string    `json:"r"`
	Redirect string    `json:"u"`
	Until    time.Time `json:"t"`
}

// Login handles GET of LoginPath. It must not get HEAD.
func (s *Sessions) Login(w http.ResponseWriter, r *http.Request) {
	if !s.enter(w, r, s.beginning) {
		return
	}
	defer s.beginning.Release(1)

	if p := unknownParameter(r.URL.Query(), "return_to"); p != nil {
		s.loginFailed(w, r, "", p, nil)
		return
	}

	returnTo, err := s.returnTo(r.URL.Query())
	if err != nil {
		s.loginFailed(w, r, "", problem.New(codes.InvalidArgument, "return_to must be a path of this gateway, such as /app"), err)
		return
	}

	origin, err := s.publicOrigin(r)
	if err != nil {
		s.loginFailed(w, r, "", problem.New(codes.FailedPrecondition, "logins are not possible under this host"), err)
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

	if id, err := s.cookie(r); err == nil && id != "" {
		begun.Before = keyOf(id)
	}

	location, err := s.Provider.AuthorizationURL(r.Context(), provider.Login{
		State: s.state(begun), Nonce: begun.Nonce, Verifier: begun.Verifier, RedirectURL: begun.Redirect,
	})
	if err != nil {
		s.Observer.ObserveSession("login", "unavailable")
		s.loginFailed(w, r, returnTo, loginUnavailable(), err)

		return
	}

	// The callback is a navigation that begins at another site.
	setCookie(w, loginCookie, browser, http.SameSiteLaxMode, loginLife)
	redirect(w, location)
}

// enter takes a place for a login, and reports whether there was one. If not, it writes the response.
func (s *Sessions) enter(w http.ResponseWriter, r *http.Request, places *semaphore.Weighted) bool {
	if places.TryAcquire(1) {
		return true
	}

	p := problem.New(codes.Unavailable, "too many users log in at the moment")
	p.RetryAfter = retryAfter

	s.Observer.ObserveSession("login", "unavailable")
	s.loginFailed(w, r, "", p, errTooMany)

	return false
}

// browser returns the secret that binds logins to a browser, if it has one. Logins in several tabs share it.
func (s *Sessions) browser(r *http.Request) (string, bool) {
	value, count := httpfield.Cookie(r.Header["Cookie"], loginCookie)

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

// redirect sends the browser elsewhere with a GET.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

var errHost = errors.New("auth.sessions.public_url is not set, and the host of the request is no name of loopback")

// publicOrigin returns the origin under which the browser sees the gateway.
func (s *Sessions) publicOrigin(r *http.Request) (string, error) {
	if s.cfg.PublicURL != "" {
		return s.cfg.PublicURL, nil
	}

	host := strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]")

	if name, port, err := net.SplitHostPort(r.Host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", fmt.Errorf("%w: %.200q", errHost, r.Host)
		}

		host = name
	}

	if !config.IsLoopback(host) {
		return "", fmt.Errorf("%w: %.200q", errHost, r.Host)
	}

	if r.TLS != nil {
		return "https://" + r.Host, nil
	}

	return "http://" + r.Host, nil
}
