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
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// maxToken is the largest token in bytes that is looked at. Tokens with many scopes have 2 KB; 8 KiB is where common servers end
// a header line.
const maxToken = 8 << 10

// retryAfterNoKeys is short: keys are fetched again after retryInterval at most, and their issuer may be just starting.
const retryAfterNoKeys = 5 * time.Second

// Why credentials are not even parsed, or do not count although they are good.
var (
	errManyCredentials = errors.New("more than one credential")
	errNotBearer       = errors.New("no bearer token in Authorization")
	errTokenSize       = errors.New("token is too long")
	errNotBound        = errors.New("token is bound to another client certificate")
)

// Identify notes on the request's record who calls, by the credential of an embedding program, else the access token, else the API
// key, else the client certificate. Without any of them the caller is anonymous.
//
// A credential that is not valid ends the request with 401, even if the route is public: a client that sends one expects it to
// count. So do two of them, as it is not for the gateway to choose. While no keys of its issuer could be fetched, a token ends it
// with 503, because a client would throw it away after a 401.
func (a *Authenticator) Identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		custom, err := a.custom.principal(r)
		if err != nil {
			a.custom.refuse(w, r, err)

			return
		}

		if err := a.identify(r, custom); err != nil {
			rec := reqinfo.From(r.Context())
			rec.Principal, rec.APIKey = reqinfo.Principal{}, ""

			refuseCredential(w, r, err)

			return
		}

		next.ServeHTTP(w, r)
	})
}

// identify notes who calls. The principal is the one that an embedding program has found; nil: it has found none.
func (a *Authenticator) identify(r *http.Request, custom *reqinfo.Principal) (err error) {
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
		return errManyCredentials
	case custom != nil:
		rec.Principal = *custom
		// It is empty unless it is what was verified.
		rec.Authorization = r.Header.Get("Authorization")
	case len(authorization) == 1:
		rec.Principal, err = a.byToken(r, authorization[0])
	case len(keys) == 1:
		rec.Principal, err = a.keys.Lookup(keys[0], time.Now())
		rec.APIKey, _ = apikey.ID(keys[0])
	default:
		// A certificate that stands for nobody may still be what the listener demands of everyone.
		rec.Principal, _ = a.certificates.principal(r.TLS)
	}

	return err
}

// byToken returns whom the token in an Authorization field stands for, and notes the field for upstreams that want it.
func (a *Authenticator) byToken(r *http.Request, authorization string) (reqinfo.Principal, error) {
	token, err := bearer(authorization)
	if err != nil {
		return reqinfo.Principal{}, err
	}

	found, err := a.verify(r.Context(), token)
	if err != nil {
		return reqinfo.Principal{}, err
	}

	if !shows(r.TLS, found.certificate) {
		return reqinfo.Principal{}, fmt.Errorf("%w: thumbprint %q", errNotBound, found.certificate)
	}

	reqinfo.From(r.Context()).Authorization = authorization

	return found.principal, nil
}

// shows reports whether the client showed the certificate that a token is bound to (RFC 8705, section 3). Most are bound to none.
func shows(state *tls.ConnectionState, certificate string) bool {
	return certificate == "" || certificate == thumbprint(state)
}

// bearer takes the token out of an Authorization field (RFC 6750, section 2.1). Its characters are looked at when it is verified.
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

// notInToken tells what a JWT has no use for (RFC 7515, section 7.1). The base64 decoder would pass over line ends.
func notInToken(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

// refuseCredential answers without saying what was wrong, which would help nobody but a forger, unless it is what a token with a
// valid signature says of its caller: its issuer has to mend that.
func refuseCredential(w http.ResponseWriter, r *http.Request, cause error) {
	if errors.Is(cause, errNoKeys) {
		p := problem.New(codes.Unavailable, "tokens of this issuer cannot be verified at the moment")
		p.RetryAfter = retryAfterNoKeys
		problem.Write(w, r, p, cause)

		return
	}

	p := problem.New(codes.Unauthenticated, "the access token is not valid")
	if errors.Is(cause, errClaims) {
		p.Errors = claimErrors(cause, "Authorization")
	}

	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	problem.Write(w, r, p, cause)
}

// claimErrors are the parts of a principal that cannot be passed to backends; header is where they come from.
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
