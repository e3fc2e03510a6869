package bff

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Authenticator verifies a kind of credential that the gateway does not know, such as a session cookie or an opaque token.
type Authenticator struct {
	// Name is that of the kind of credential: of its security scheme in the description of the API, and of the issuer of principals
	// that name none. It consists of letters, digits, dots, dashes and underscores.
	Name string

	// One of the following says where the credential is. Authenticate is asked about requests alone that have it.

	// Header is the name of a request header.
	Header string
	// Cookie is the name of a cookie. Browsers send cookies with requests that other sites make: see docs/options.md.
	Cookie string
	// Scheme is that of an Authorization header (RFC 9110, section 11.4), such as "Basic"; or "Bearer" for tokens that are not, or
	// not all, of a configured issuer.
	Scheme string

	// Description says in the description of the API what the credential is. It may be empty.
	Description string
	// Challenge is in WWW-Authenticate of a 401 (RFC 9110, section 11.6.1). Empty: the scheme, or else the name.
	Challenge string

	// Authenticate returns the principal that the credential identifies.
	//
	// Nil without an error means that the credential is not of this kind: the request is handled as if it were not there, so that
	// it is anonymous unless it has another credential. (An Authorization header is then read as an access token.) An error
	// refuses the request, on public routes too. It should be a gRPC status:
	//
	//	UNAUTHENTICATED    the credential is not valid: 401; the client does not learn why
	//	PERMISSION_DENIED  it is valid, but may not be used: 403, with the message of the status
	//	any other error    that cannot be decided now: 503 with Retry-After
	//
	// The log has the error, so it must not hold the credential. The context of the request ends after server.request_timeout. Keep
	// what is looked up for as long as it is valid: nothing is cached here. The request is a copy without a body. Authenticate must
	// be safe for concurrent use. If it panics, the response is 500.
	Authenticate func(r *http.Request) (*Principal, error)
}

// WithAuthenticator accepts credentials of another kind besides those of the configuration (tokens of issuers, API keys and client
// certificates), which then needs none. A request with two credentials of any kinds gets 401; a client
// certificate counts only where there is no other. The credential stays in the gateway: Open refuses a configuration or a policy
// that passes its header to backends, except forward_authorization of an upstream. It may be given once.
//
// Without it, the credentials of the configuration are the only ones. Do not use it for tokens that an issuer signs as JWT:
// auth.issuers does that.
func WithAuthenticator(authenticator Authenticator) Option {
	return func(o *options) {
		o.faults.once("WithAuthenticator", o.authenticator == nil)

		for _, fault := range authenticator.faults() {
			o.faults.addf("WithAuthenticator: %s", fault)
		}

		o.authenticator = &authenticator
	}
}

// faults are what is wrong with it in itself.
func (a *Authenticator) faults() []string {
	var faults []string

	check := func(ok bool, fault string) {
		if !ok {
			faults = append(faults, fault)
		}
	}

	check(a.Authenticate != nil, "Authenticate is nil")
	check(isName(a.Name) && !slices.Contains(openapi.SecuritySchemes(), a.Name),
		"Name must be letters, digits, dots, dashes and underscores, and none of "+strings.Join(openapi.SecuritySchemes(), ", "))

	places := 0

	for _, place := range []struct{ field, value string }{{"Header", a.Header}, {"Cookie", a.Cookie}, {"Scheme", a.Scheme}} {
		if place.value != "" {
			places++

			check(isName(place.value), place.field+" must be letters, digits, dots, dashes and underscores")
		}
	}

	check(places == 1, "needs one of Header, Cookie and Scheme")
	check(!strings.EqualFold(a.Header, "Authorization"), "Header cannot be Authorization; use Scheme")
	check(!strings.EqualFold(a.Header, "Cookie"), "Header cannot be Cookie; use Cookie")
	check(!slices.Contains([]string{"Host", "Trailer", "Transfer-Encoding"}, http.CanonicalHeaderKey(a.Header)),
		"Header cannot be "+a.Header+", which net/http takes out of the header")
	check(a.Challenge == "" || reqinfo.Plain(a.Challenge), "Challenge must be printable ASCII")

	return faults
}

func isName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_", c)
	})
}

func (a *Authenticator) place() auth.Place {
	return auth.Place{Header: a.Header, Cookie: a.Cookie, Scheme: a.Scheme}
}

// checkConfig adds a fault for each setting that contradicts it.
func (a *Authenticator) checkConfig(cfg config.Config, faults *optionFaults) {
	if cfg.Auth.Disabled {
		faults.addf("WithAuthenticator: it would have no effect, since auth.disabled is on")
	}

	if cfg.Auth.APIKeys.File != "" && strings.EqualFold(a.Header, cfg.Auth.APIKeys.Header) {
		faults.addf("WithAuthenticator: Header %s carries API keys (auth.api_keys.header)", a.Header)
	}

	for i, name := range cfg.Headers.Request {
		if strings.EqualFold(name, a.place().Carrier()) {
			faults.addf("WithAuthenticator: headers.request[%d]: %s carries credentials, which stay at the gateway", i, name)
		}
	}
}

// checkRoutes adds a fault for each route whose policy passes the credential to backends.
func (a *Authenticator) checkRoutes(routes []gateway.Route, faults *optionFaults) {
	for _, r := range routes {
		for _, h := range r.Policy.Headers {
			if strings.EqualFold(h.Name, a.place().Carrier()) {
				faults.addf("WithAuthenticator: route %s (%s) sets the field %s from %s, which carries credentials",
					r, r.RPC, h.Field, h.Name)
			}
		}
	}
}

// custom is how package auth asks it; nil if there is none.
func (a *Authenticator) custom(timeout time.Duration) *auth.Custom {
	if a == nil {
		return nil
	}

	return &auth.Custom{
		Place: a.place(), Issuer: a.Name, Timeout: timeout,
		Authenticate: func(r *http.Request) (*reqinfo.Principal, error) {
			found, err := a.Authenticate(r)
			if err != nil {
				return nil, fmt.Errorf("authenticator %s: %w", a.Name, err)
			}

			if found == nil {
				return nil, nil
			}

			return new(recorded(*found)), nil
		},
	}
}

// challenges are those of a 401.
func (o options) challenges(cfg config.Config) []string {
	a := o.authenticator
	if a == nil {
		return nil
	}

	const bearer = "Bearer"
	switch own := cmp.Or(a.Challenge, a.Scheme, a.Name); {
	case strings.EqualFold(own, bearer):
		return []string{bearer}
	case len(cfg.Auth.Issuers) > 0:
		return []string{bearer, own}
	default:
		return []string{own}
	}
}

// described is the security scheme; nil if there is none.
func (a *Authenticator) described() *openapi.Credential {
	if a == nil {
		return nil
	}

	return &openapi.Credential{Name: a.Name, Header: a.Header, Cookie: a.Cookie, Scheme: a.Scheme, Description: a.Description}
}
