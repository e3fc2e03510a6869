package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Causes for the log.
var (
	errAnonymous = errors.New("no credentials")
	errScope     = errors.New("scope is missing")
	errRole      = errors.New("role is missing")
	errOwner     = errors.New("subject is not the owner")
)

// Check is one requirement of an access policy.
type Check struct {
	// Name is the requirement as the table of routes prints it.
	Name string
	// Fault is nil if the requirement is met, otherwise the cause for the log. It needs the principal and the path variables on the
	// record.
	Fault func(ctx context.Context, rec *reqinfo.Record) error
	// Owner reports that it compares a path variable with the caller, and Condition that it is the access condition.
	Owner, Condition bool

	// reason is for the log.
	reason reqinfo.Reason
	// refusal is what the client reads, with this challenge (RFC 6750, section 3), if any. Package problem writes that of a 401.
	code      codes.Code
	refusal   string
	challenge string
}

// Checks are the requirements of an access policy, in the order in which they are checked, except for a condition on the request
// message, which is not known before it has been decoded. Public access has none.
//
// An owner is compared by subject alone. With several issuers, their subjects must not mean different people.
func Checks(access *porticov1.Access, c *condition.Condition) []Check {
	var checks []Check

	if !access.GetPublic() {
		checks = append(checks, Check{
			Name: "authenticated", code: codes.Unauthenticated, refusal: "an access token is needed",
			reason: reqinfo.ReasonNoCredential,
			Fault: func(_ context.Context, rec *reqinfo.Record) error {
				if rec.Principal.Anonymous() {
					return whyAnonymous(rec)
				}

				return nil
			},
		})
	}

	if scopes := access.GetScopes(); scopes != nil {
		name := policy.AccessText(&porticov1.Access{Scopes: scopes})
		all := strings.Join(slices.Concat(scopes.GetAllOf(), scopes.GetAnyOf()), " ")
		checks = append(checks, Check{
			Name: name, code: codes.PermissionDenied, refusal: "the access token lacks a scope", reason: reqinfo.ReasonScope,
			challenge: `Bearer error="insufficient_scope", scope="` + all + `"`,
			Fault: func(_ context.Context, rec *reqinfo.Record) error {
				return missing(scopes, rec.Principal.Scopes, errScope, name)
			},
		})
	}

	if roles := access.GetRoles(); roles != nil {
		name := policy.AccessText(&porticov1.Access{Roles: roles})
		checks = append(checks, Check{
			Name: name, code: codes.PermissionDenied, refusal: "the caller lacks a role", reason: reqinfo.ReasonRole,
			Fault: func(_ context.Context, rec *reqinfo.Record) error {
				return missing(roles, rec.Principal.Roles, errRole, name)
			},
		})
	}

	if access.GetOwner() != nil {
		checks = append(checks, ownerCheck(access.GetOwner()))
	}

	if c != nil && !c.NeedsRequest() {
		checks = append(checks, Check{
			Name: "if " + c.String(), Condition: true, code: codes.PermissionDenied, refusal: conditionRefusal,
			reason: reqinfo.ReasonCondition,
			Fault:  func(ctx context.Context, rec *reqinfo.Record) error { return c.Allows(ctx, rec, nil) },
		})
	}

	return checks
}

// Require lets callers through whom the access policy of a route allows. What is missing on the record counts against the caller.
// If there are no requirements, it adds no layer.
func Require(access *porticov1.Access, c *condition.Condition) func(http.Handler) http.Handler {
	checks := Checks(access, c)
	if len(checks) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())

			check, cause := unmet(r.Context(), checks, rec)
			if cause == nil {
				next.ServeHTTP(w, r)

				return
			}

			if check.challenge != "" {
				w.Header().Set("WWW-Authenticate", check.challenge)
			}

			problem.Write(w, r, check.problem(rec), cause)
		})
	}
}

// Permit is Require for a call of a composite. The error is a problem for the client, with the cause for the log.
func Permit(ctx context.Context, checks []Check, rec *reqinfo.Record) error {
	if check, cause := unmet(ctx, checks, rec); cause != nil {
		return fmt.Errorf("%w: %w", check.problem(rec), cause)
	}

	return nil
}

func (c Check) problem(rec *reqinfo.Record) *problem.Problem {
	if c.code == codes.Unauthenticated && rec.SessionEnded {
		return problem.New(c.code, "the session has ended").Because(reqinfo.ReasonSessionEnded)
	}

	if c.code == codes.Unauthenticated && rec.Login != "" {
		return problem.New(c.code, "a login or an access token is needed").Because(c.reason)
	}

	return problem.New(c.code, c.refusal).Because(c.reason)
}

// whyAnonymous is the cause for the log.
func whyAnonymous(rec *reqinfo.Record) error {
	if rec.SessionEnded {
		return session.ErrNone
	}

	return errAnonymous
}

// unmet returns the first requirement that is not met, and why.
func unmet(ctx context.Context, checks []Check, rec *reqinfo.Record) (check Check, cause error) {
	for _, check := range checks {
		if cause := check.Fault(ctx, rec); cause != nil {
			return check, cause
		}
	}

	return Check{}, nil
}

const conditionRefusal = "the caller may not make this request"

// Allow checks a condition on the request message. The error is a problem for the client, with the cause for the log.
func Allow(ctx context.Context, c *condition.Condition, rec *reqinfo.Record, request proto.Message) error {
	if err := c.Allows(ctx, rec, request); err != nil {
		if ctx.Err() != nil {
			return problem.From(ctx.Err())
		}

		return fmt.Errorf("%w: %w", problem.New(codes.PermissionDenied, conditionRefusal).Because(reqinfo.ReasonCondition), err)
	}

	return nil
}

func ownerCheck(owner *porticov1.Owner) Check {
	return Check{
		Name: policy.AccessText(&porticov1.Access{Owner: owner}), Owner: true,
		code: codes.PermissionDenied, refusal: "the caller may not act for this user", reason: reqinfo.ReasonOwner,
		Fault: func(_ context.Context, rec *reqinfo.Record) error {
			if !owns(owner, rec) {
				return fmt.Errorf("%w: subject %q, path variable %s", errOwner, rec.Principal.Subject, owner.GetVariable())
			}

			return nil
		},
	}
}

type lists interface {
	GetAnyOf() []string
	GetAllOf() []string
}

// missing returns an error unless the caller has one of AnyOf, if there are any, and each of AllOf.
func missing(required lists, have []string, cause error, name string) error {
	has := func(name string) bool { return slices.Contains(have, name) }
	lacks := func(name string) bool { return !has(name) }

	anyOf := required.GetAnyOf()
	if slices.ContainsFunc(required.GetAllOf(), lacks) || len(anyOf) > 0 && !slices.ContainsFunc(anyOf, has) {
		return fmt.Errorf("%w: have %q, need %s", cause, have, name)
	}

	return nil
}

// owns reports whether the path variable is the caller. A variable that is missing or empty belongs to nobody.
func owns(owner *porticov1.Owner, rec *reqinfo.Record) bool {
	if owner.GetUnlessScope() != "" && rec.Principal.HasScope(owner.GetUnlessScope()) {
		return true
	}

	subject := rec.PathParams.Get(owner.GetVariable())

	return subject != "" && subject == rec.Principal.Subject
}
