package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Causes for the log.
var (
	errTwoCookies  = errors.New("more than one cookie of the session's name")
	errNoHeader    = errors.New("a request that changes something, without the header that pages of other origins cannot send")
	errCrossOrigin = errors.New("a request that changes something, from a page of another origin")
)

// retryAfter is short, as for the keys of issuers: what is down is looked for again soon.
const retryAfter = 5 * time.Second

// cookie returns the id of a request's session. Empty: there is none, or a cookie that the gateway has not set. Two cookies are
// refused, since one of them was set by someone else.
func (s *Sessions) cookie(r *http.Request) (string, error) {
	value, count := httpfield.Cookie(r.Header["Cookie"], s.cfg.Cookie)

	switch {
	case count > 1:
		p := problem.New(codes.Unauthenticated, "there is more than one session cookie").Because(reqinfo.ReasonInvalidCredential)
		return "", fmt.Errorf("%w: %w", p, errTwoCookies)
	case !isSecret(value):
		return "", nil
	default:
		return value, nil
	}
}

// checkOrigin refuses a request with the cookie that changes something and may come from a page of another origin (OAuth 2.0 for
// Browser-Based Applications, section 6.1.3.3).
func (s *Sessions) checkOrigin(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}

	refuse := func(detail string, cause error) error {
		p := problem.New(codes.PermissionDenied, detail).Because(reqinfo.ReasonCrossOrigin)

		return fmt.Errorf("%w: %w", p, cause)
	}

	if err := s.origins.Check(r); err != nil {
		return refuse("a page of another origin may not change anything with the session of this browser",
			fmt.Errorf("%w: %w", errCrossOrigin, err))
	}

	if r.Header.Get(s.cfg.Header) == "" {
		return refuse("with a session, a request that changes something needs the header "+s.cfg.Header, errNoHeader)
	}

	return nil
}

// setCookie sets a cookie that scripts cannot read, and that is sent to this host alone, over a secure connection (RFC 6265bis,
// section 4.1.3.2). It lasts as long as the browser runs if maxAge is zero, and ends if it is less. What the response said of the
// cookie before is replaced: it must not set one twice (section 4.1.1).
func setCookie(w http.ResponseWriter, name, value string, sameSite http.SameSite, maxAge time.Duration) {
	header := w.Header()
	before := func(set string) bool { return strings.HasPrefix(set, name+"=") }
	header["Set-Cookie"] = slices.DeleteFunc(header["Set-Cookie"], before)

	http.SetCookie(w, &http.Cookie{ //nolint:gosec // SameSite is strict or lax.
		Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: sameSite, MaxAge: int(maxAge.Seconds()),
	})
}

// dropCookie makes the browser forget the session.
func (s *Sessions) dropCookie(w http.ResponseWriter) {
	setCookie(w, s.cfg.Cookie, "", s.sameSite(), -time.Second)
}

func (s *Sessions) sameSite() http.SameSite {
	if s.cfg.SameSite == config.SameSiteLax {
		return http.SameSiteLaxMode
	}

	return http.SameSiteStrictMode
}

// unavailable is the problem for a session that may be valid, which nobody can say at the moment. With a 401 the user would have to
// log in again.
func unavailable(cause error) error {
	p := problem.New(codes.Unavailable, "the session cannot be verified at the moment").
		Because(reqinfo.ReasonUnverifiedCredential)
	p.RetryAfter = retryAfter

	return fmt.Errorf("%w: %w", p, cause)
}
