package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Place is where a credential is in a request. One of its fields is set.
type Place struct {
	// Header is the name of a request header.
	Header string
	// Cookie is the name of a cookie.
	Cookie string
	// Scheme is that of an Authorization header (RFC 9110, section 11.4), in any case.
	Scheme string
}

// Carrier is the header that the credential is in.
func (p Place) Carrier() string {
	switch {
	case p.Header != "":
		return p.Header
	case p.Cookie != "":
		return "Cookie"
	default:
		return "Authorization"
	}
}

// Custom is a kind of credential that an embedding program verifies.
type Custom struct {
	Place

	// Issuer is for principals without one.
	Issuer string
	// Timeout is how long Authenticate may take.
	Timeout time.Duration
	// Authenticate returns the caller that the credential of a request identifies; nil if the credential is of another kind. An
	// error is a gRPC status with UNAUTHENTICATED if the credential is not valid, with PERMISSION_DENIED and a public message if
	// its owner may not call at all, and anything else if it could not be verified. It must be safe for concurrent use.
	Authenticate func(r *http.Request) (*reqinfo.Principal, error)
}

// Why Authenticate is not called, or could not verify a credential.
var (
	errCookie      = errors.New("the value of the cookie is not valid (RFC 6265, section 4.1.1), or there are too many cookies")
	errNotVerified = errors.New("credential could not be verified")
)

// principal returns the caller, according to the program, which is only called for requests with such a credential; nil: there is
// none, or it is of another kind.
func (c *Custom) principal(r *http.Request) (*reqinfo.Principal, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // There is none.
	}

	switch c.count(r) {
	case 0:
		return nil, nil //nolint:nilnil // There is none.
	case 1:
	default:
		return nil, errManyCredentials
	}

	// net/http drops it, so that the request would look like one without the credential.
	if c.Cookie != "" && len(r.CookiesNamed(c.Cookie)) == 0 {
		return nil, errCookie
	}

	ctx, cancel := context.WithTimeout(r.Context(), c.Timeout)
	defer cancel()

	// Changes to the request have no effect, and the body is still to be read.
	copied := r.Clone(ctx)
	copied.Body = http.NoBody

	found, err := c.Authenticate(copied)
	if err != nil {
		return nil, c.fault(r, err)
	}

	if found == nil {
		return nil, nil //nolint:nilnil // There is none.
	}

	if found.Issuer == "" {
		found.Issuer = c.Issuer
	}

	if err := found.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w (subject %.300q, tenant %.300q)", errClaims, err, found.Subject, found.Tenant)
	}

	return found, nil
}

// count is how many credentials of the kind a request has, well-formed or not.
func (c *Custom) count(r *http.Request) int {
	switch {
	case c.Header != "":
		return len(r.Header.Values(c.Header))
	case c.Cookie != "":
		_, count := httpfield.Cookie(r.Header["Cookie"], c.Cookie)
		return count
	}

	fields := r.Header.Values("Authorization")
	count := 0

	for _, field := range fields {
		if scheme, _, _ := strings.Cut(field, " "); strings.EqualFold(scheme, c.Scheme) {
			count = len(fields)
		}
	}

	return count
}

// fault is the error for the client of a request, with its cause for the log.
func (c *Custom) fault(r *http.Request, cause error) error {
	if ended := r.Context().Err(); ended != nil {
		return fmt.Errorf("%w: %w", problem.From(ended), cause)
	}

	if st, ok := problem.Status(cause); ok {
		switch st.Code() {
		case codes.Unauthenticated:
			return cause
		case codes.PermissionDenied:
			return fmt.Errorf("%w: %w", problem.From(cause), cause)
		default:
		}
	}

	return fmt.Errorf("%w: %w", errNotVerified, cause)
}

func (c *Custom) refuse(w http.ResponseWriter, r *http.Request, cause error) {
	if known := (*problem.Problem)(nil); errors.As(cause, &known) {
		reqinfo.From(r.Context()).Refuse(reqinfo.Refusal{Reason: reqinfo.ReasonInvalidCredential})
		problem.Write(w, r, known, cause)

		return
	}

	p := problem.New(codes.Unauthenticated, "the credential is not valid").Because(reqinfo.ReasonInvalidCredential)

	switch {
	case errors.Is(cause, errNotVerified):
		p = problem.New(codes.Unavailable, "the credential cannot be verified at the moment").
			Because(reqinfo.ReasonUnverifiedCredential)
		p.RetryAfter = retryAfterNoKeys
	case errors.Is(cause, errClaims):
		p.Errors = claimErrors(cause, c.Carrier())
	}

	problem.Write(w, r, p, cause)
}
