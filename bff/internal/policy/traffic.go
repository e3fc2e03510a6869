package policy

import (
	"time"

	"google.golang.org/grpc/codes"
)

// Retry says when a call to a backend is made again.
type Retry struct {
	// MaxAttempts are the calls in all, at least 1.
	MaxAttempts int
	// InitialBackoff is the pause before the second call. It doubles before each further one, up to MaxBackoff.
	InitialBackoff, MaxBackoff time.Duration
	// Codes are worth another call.
	Codes []codes.Code
	// HedgeAfter is how long the first call may take before a second one is made beside it. Zero: there is none.
	HedgeAfter time.Duration
}

// Cache says how long answers are kept, and for whom.
type Cache struct {
	// TTL is how long an answer is fresh. Zero: answers are not kept, and only requests at the same time share one.
	TTL time.Duration
	// StaleWhileRevalidate and StaleIfError are how long after that it may be given out while there is no other.
	StaleWhileRevalidate, StaleIfError time.Duration
	// Public answers are the same for all callers of a tenant.
	Public bool
	// Tags name what an answer is made of.
	Tags []Tag
}

// Breaker says when calls are stopped.
type Breaker struct {
	// FailureRatio of the calls in the window at which it opens, over 0 to 1.
	FailureRatio float64
	// MinRequests must have been made in the window before it can open.
	MinRequests uint32
	// Window is how far back calls count.
	Window time.Duration
	// OpenFor is how long it refuses all calls.
	OpenFor time.Duration
	// SlowAfter is what makes a call slow. Zero: none is.
	SlowAfter time.Duration
	// SlowRatio of the calls in the window at which it opens, over 0 to 1.
	SlowRatio float64
	// Probes must succeed before it closes.
	Probes uint32
}

// Priority says who is refused first: the lower ones.
type Priority int

// The priorities of portico.v1.Priority.
const (
	PriorityLow Priority = iota - 1
	PriorityNormal
	PriorityCritical
)

// String names the priority as the table of routes prints it.
func (p Priority) String() string {
	switch p {
	case PriorityLow:
		return "low"
	case PriorityNormal:
		return "normal"
	case PriorityCritical:
		return "critical"
	default:
		return "unknown"
	}
}
