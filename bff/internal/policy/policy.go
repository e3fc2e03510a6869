// Package policy reads the portico.v1 options of a method and compiles them into plain values, once, at start-up. It refuses what
// makes no sense and says where it stands.
//
// It enforces nothing: auth, limit and gateway do.
package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/policy/condition"
)

// Policy is what holds for one route.
type Policy struct {
	Access     Access
	RateLimits []RateLimit
	// Timeout is the time from the arrival of a request to the end of its answer.
	Timeout time.Duration
	// MaxBody is the largest request body in bytes.
	MaxBody int64
	// AllowUnknown passes over unknown fields of the body and unknown query parameters.
	AllowUnknown bool
	// Response is what a successful answer has besides the message.
	Response Response
	// Headers set fields of the request message.
	Headers []Header
	// Stream is how answers are streamed.
	Stream Stream
	// Idempotency makes requests with a key take effect once. Nil: keys mean nothing.
	Idempotency *Idempotency
	// Retry says when a call is made again. Nil: never.
	Retry *Retry
	// Cache keeps answers. Nil: none are kept, and each request is a call of its own.
	Cache *Cache
	// Invalidates are names for what the method changes.
	Invalidates []Tag
	// Breaker is for the method alone. Nil: there is none.
	Breaker *Breaker
	// Priority says who is refused first when there is too much to do.
	Priority Priority
}

// Access says who may call. Everything in it must hold.
type Access struct {
	// Public lets everyone in whom the condition, if any, allows; nothing else is set then.
	Public bool
	// AnyOf are scopes of which the caller needs one. Empty: no condition.
	AnyOf []string
	// AllOf are scopes of which the caller needs each.
	AllOf []string
	// Owner ties a path variable to the caller. Nil: no condition.
	Owner *Owner
	// AnyRole are roles of which the caller needs one. Empty: no condition.
	AnyRole []string
	// AllRoles are roles of which the caller needs each.
	AllRoles []string
	// Condition is a CEL expression that must be true. Nil: no condition.
	Condition *condition.Condition
}

// Owner demands that a path variable equals the caller's subject.
type Owner struct {
	Variable string
	// UnlessScope lifts the condition for callers that have it. Empty: for nobody.
	UnlessScope string
}

// String prints the access policy as the table of routes does: "owner user_id or users:admin".
func (a Access) String() string {
	var parts []string

	add := func(what string, names []string) {
		if len(names) > 0 {
			parts = append(parts, what+strings.Join(names, ", "))
		}
	}

	if a.Public {
		parts = append(parts, "public")
	}

	add("any of ", a.AnyOf)
	add("all of ", a.AllOf)
	add("any role of ", a.AnyRole)
	add("all roles of ", a.AllRoles)

	if a.Owner != nil {
		owner := "owner " + a.Owner.Variable
		if a.Owner.UnlessScope != "" {
			owner += " or " + a.Owner.UnlessScope
		}

		parts = append(parts, owner)
	}

	if len(parts) == 0 {
		parts = append(parts, "authenticated")
	}

	if a.Condition != nil {
		parts = append(parts, "if "+a.Condition.String())
	}

	return strings.Join(parts, "; ")
}

// String prints the whole policy on one line.
func (p Policy) String() string {
	parts := []string{p.Access.String()}
	for _, l := range p.RateLimits {
		parts = append(parts, l.String())
	}

	parts = append(parts, p.Timeout.String(), fmt.Sprintf("body %d", p.MaxBody))

	return strings.Join(append(parts, p.traffic()...), "; ")
}

// traffic prints what else is set, as the table of routes does.
func (p Policy) traffic() []string {
	var parts []string

	if p.Retry != nil && p.Retry.MaxAttempts > 1 {
		parts = append(parts, "retried "+p.Retry.String())
	}

	if p.Cache != nil {
		parts = append(parts, p.Cache.String())
	}

	if len(p.Invalidates) > 0 {
		parts = append(parts, "invalidates "+joinTags(p.Invalidates))
	}

	if p.Breaker != nil {
		parts = append(parts, "own breaker")
	}

	if p.Priority != PriorityNormal {
		parts = append(parts, "priority "+p.Priority.String())
	}

	return parts
}

func joinTags(tags []Tag) string {
	names := make([]string, 0, len(tags))
	for _, t := range tags {
		names = append(names, t.String())
	}

	return strings.Join(names, ", ")
}
