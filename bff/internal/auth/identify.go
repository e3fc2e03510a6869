package auth

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// maxToken is the largest token in bytes that is looked at. Tokens with many scopes have 2 KB; 8 KiB is where common servers end
// a header line.
const maxToken = 8 << 10

// retryAfterNoKeys is short: keys are fetched again after retryInterval at most, and their issuer may be just starting.
const retryAfterNoKeys = 5 * time.Second

// Why credentials are not even parsed.
var (
	errManyCredentials = errors.New("several Authorization fields")
	errNotBearer       = errors.New("no bearer token in Authorization")
	errTokenSize       = errors.New("token is too long")
)

// Identify notes on the request's record who calls. Without an Authorization field that is nobody. A field that is not one valid
// bearer token ends the request with 401, even if the route is public: whoever shows a token expects it to count. While no keys of
// its issuer could be fetched yet, a token ends it with 503, because a client would throw it away after a 401.
func (a *Authenticator) Identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fields := r.Header.Values("Authorization")
		if len(fields) == 0 {
			next.ServeHTTP(w, r)

			return
		}

		token, err := bearer(fields)
		if err != nil {
			refuseToken(w, r, err)

			return
		}

		principal, err := a.verify(r.Context(), token)
		if err != nil {
			refuseToken(w, r, err)

			return
		}

		reqinfo.From(r.Context()).Principal = principal

		next.ServeHTTP(w, r)
	})
}

// bearer takes the token out of the Authorization fields (RFC 6750, section 2.1).
func bearer(fields []string) (string, error) {
	if len(fields) != 1 {
		return "", errManyCredentials
	}

	scheme, token, _ := strings.Cut(fields[0], " ")
	token = strings.Trim(token, " ")

	switch {
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return "", errNotBearer
	case len(token) > maxToken:
		return "", errTokenSize
	case strings.ContainsFunc(token, notInToken):
		return "", errNotBearer
	}

	return token, nil
}

// notInToken tells what a JWT has no use for (RFC 7515, section 7.1). The base64 decoder would pass over line ends.
func notInToken(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

// refuseToken answers without saying what was wrong with the token, which would help nobody but a forger.
func refuseToken(w http.ResponseWriter, r *http.Request, cause error) {
	if errors.Is(cause, errNoKeys) {
		p := problem.New(codes.Unavailable, "tokens of this issuer cannot be verified at the moment")
		p.RetryAfter = retryAfterNoKeys
		problem.Write(w, r, p, cause)

		return
	}

	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	problem.Write(w, r, problem.New(codes.Unauthenticated, "the access token is not valid"), cause)
}
