package auth

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// maxToken is the largest token in bytes that is accepted. Tokens with many scopes have 2 KB; 8 KiB is the longest header line of
// common servers.
const maxToken = 8 << 10

// retryAfterNoKeys is short: keys are fetched again after retryInterval at most, and their issuer may be just starting.
const retryAfterNoKeys = 5 * time.Second

// Why credentials are not parsed, or are not accepted although they are valid.
var (
	errManyCredentials = errors.New("more than one credential")
	errNotBearer       = errors.New("no bearer token in Authorization")
	errTokenSize       = errors.New("token is too long")
	errNotBound        = errors.New("token is bound to another client certificate")
)

// Identify sets the caller on the request's record, by the credential of an embedding program, else the access token, else the API
// key, else the session of the browser, else the client certificate. Without any of them the caller is anonymous. Nil: there are no
// sessions.
//
// A credential that is not valid ends the request with 401, even if the route is public: a client that sends one expects it to be
// used. So do two of them, because the gateway cannot choose. While no keys of its issuer could be fetched, a token ends it with
// 503, because a client would discard it after a 401.
//
// A session is read only without another credential: browsers send its cookie by themselves. One that has ended is no error.
func (a *Authenticator) Identify(sessions *session.Sessions) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			custom, err := a.custom.principal(r)
			if err != nil {
				a.custom.refuse(w, r, err)
				return
			}

			known, err := a.identify(r, custom)

			switch {
			case err != nil:
				rec := reqinfo.From(r.Context())
				rec.Principal, rec.APIKey = reqinfo.Principal{}, ""
			case !known:
				err = a.identifyBrowser(r, sessions)
			}

			if err != nil {
				refuseCredential(w, r, err)

				return
			}

			next.ServeHTTP(w, r)
		})
	}
}

// identify sets the caller on the record, if the request has a credential that its client has added. custom is the one that an
// embedding program has found; nil: none.
func (a *Authenticator) identify(r *http.Request, custom *reqinfo.Principal) (known bool, err error) {
	authorization := r.Header.Values("Authorization")

	var keys []string
	if a.keys != nil {
		keys = r.Header.Values(a.keyHeader)
	}

	rec, count := reqinfo.From(r.Context()), len(authorization)+len(keys)

	if custom != nil && a.custom.Scheme == "" {
		count++
	}

	switch {
	case count > 1:
		return false, errManyCredentials
	case custom != nil:
		rec.Principal = *custom
		// If there is one, it is what was verified.
		rec.Authorization = r.Header.Get("Authorization")
	case len(authorization) == 1:
		rec.Principal, err = a.byToken(r, authorization[0])
	case len(keys) == 1:
		rec.Principal, err = a.keys.Lookup(keys[0], time.Now())
		rec.APIKey, _ = apikey.ID(keys[0])
	default:
		return false, nil
	}

	return true, err
}

// identifyBrowser sets the caller on the record by the session of a browser, or else by the certificate of the connection.
func (a *Authenticator) identifyBrowser(r *http.Request, sessions *session.Sessions) error {
	rec := reqinfo.From(r.Context())

	if sessions != nil {
		found, ok, err := sessions.Find(r)
		if err != nil {
			return err
		}

		if ok {
			rec.Principal, rec.Authorization, rec.Session = found.Principal, found.Authorization, true
			return nil
		}
	}

	// A certificate without an entry is no error: the listener may require one of everyone.
	rec.Principal, _ = a.certificates.principal(r.TLS)

	return nil
}

// byToken returns the caller that the token in an Authorization field identifies, and records the field for upstreams that get it.
func (a *Authenticator) byToken(r *http.Request, authorization string) (reqinfo.Principal, error) {
	token, err := bearer(authorization)
	if err != nil {
		return reqinfo.Principal{}, err
	}

	found, err := a.verify(r.Context(), token)
	if err != nil {
		return reqinfo.Principal{}, err
	}

	if !presents(r.TLS, found.certificate) {
		return reqinfo.Principal{}, fmt.Errorf("%w: thumbprint %q", errNotBound, found.certificate)
	}

	reqinfo.From(r.Context()).Authorization = authorization

	return found.principal, nil
}

// presents reports whether the client presented the certificate that a token is bound to (RFC 8705, section 3). Most are bound to
// none.
func presents(state *tls.ConnectionState, certificate string) bool {
	return certificate == "" || certificate == thumbprint(state)
}

// bearer returns the token in an Authorization field (RFC 6750, section 2.1). Its characters are checked when it is verified.
func bearer(field string) (string, error) {
	scheme, token, _ := strings.Cut(field, " ")
	token = strings.Trim(token, " ")

	switch {
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return "", errNotBearer
	case len(token) > maxToken:
		return "", errTokenSize
	}

	return token, nil
}

// notInToken reports whether a character cannot be in a JWT (RFC 7515, section 7.1). The base64 decoder would skip line ends.
func notInToken(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

// refuseCredential responds without saying what was wrong, which would only help a forger, unless it is a claim of a token with a
// valid signature, which its issuer has to correct.
func refuseCredential(w http.ResponseWriter, r *http.Request, cause error) {
	if known := (*problem.Problem)(nil); errors.As(cause, &known) {
		problem.Write(w, r, known, cause)
		return
	}

	if errors.Is(cause, errNoKeys) {
		p := problem.New(codes.Unavailable, "tokens of this issuer cannot be verified at the moment").
			Because(reqinfo.ReasonUnverifiedCredential)
		p.RetryAfter = retryAfterNoKeys
		problem.Write(w, r, p, cause)

		return
	}

	p := problem.New(codes.Unauthenticated, "the access token is not valid").Because(reqinfo.ReasonInvalidCredential)
	if errors.Is(cause, errClaims) {
		p.Errors = claimErrors(cause, "Authorization")
	}

	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	problem.Write(w, r, p, cause)
}

// claimErrors returns the parts of a principal that cannot be passed to backends; they are from that header.
func claimErrors(cause error, header string) []problem.FieldError {
	var out []problem.FieldError

	switch cause := cause.(type) { //nolint:errorlint // All errors of the tree are wanted, not the first.
	case *reqinfo.PartError:
		out = append(out, problem.FieldError{In: "header", Field: header, Description: cause.Error()})
	case interface{ Unwrap() error }:
		out = claimErrors(cause.Unwrap(), header)
	case interface{ Unwrap() []error }:
		for _, each := range cause.Unwrap() {
			out = append(out, claimErrors(each, header)...)
		}
	}

	return out
}
