package auth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Causes for the log.
var (
	errScope = errors.New("scope is missing")
	errOwner = errors.New("subject is not the owner")
)

// Require lets through whom the access policy of a route allows. It needs the principal and the path variables on the request's
// record; what is missing there counts against the caller. Public access adds no layer.
//
// An owner is compared by subject alone. With several issuers, their subjects must not mean different people.
func Require(access policy.Access) func(http.Handler) http.Handler {
	if access.Public {
		return func(next http.Handler) http.Handler { return next }
	}

	scopes := strings.Join(slices.Concat(access.AllOf, access.AnyOf), " ")
	challenge := `Bearer error="insufficient_scope", scope="` + scopes + `"`

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())

			switch {
			case rec.Principal.Anonymous():
				w.Header().Set("WWW-Authenticate", "Bearer")
				problem.Write(w, r, problem.New(codes.Unauthenticated, "an access token is needed"), nil)
			case !granted(access, rec.Principal):
				w.Header().Set("WWW-Authenticate", challenge)
				problem.Write(w, r, problem.New(codes.PermissionDenied, "the access token lacks a scope"),
					fmt.Errorf("%w: have %q, need %s", errScope, rec.Principal.Scopes, access))
			case !owns(access.Owner, rec):
				problem.Write(w, r, problem.New(codes.PermissionDenied, "the caller may not act for this user"),
					fmt.Errorf("%w: subject %q, path variable %s", errOwner, rec.Principal.Subject, access.Owner.Variable))
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// granted tells whether the principal has the scopes.
func granted(access policy.Access, p reqinfo.Principal) bool {
	for _, scope := range access.AllOf {
		if !p.HasScope(scope) {
			return false
		}
	}

	return len(access.AnyOf) == 0 || slices.ContainsFunc(access.AnyOf, p.HasScope)
}

// owns tells whether the path speaks of the caller. A variable that is missing or empty is nobody's.
func owns(owner *policy.Owner, rec *reqinfo.Record) bool {
	if owner == nil || owner.UnlessScope != "" && rec.Principal.HasScope(owner.UnlessScope) {
		return true
	}

	subject := rec.PathParams[owner.Variable]

	return subject != "" && subject == rec.Principal.Subject
}
