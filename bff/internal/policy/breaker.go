package policy

import (
	"time"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

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

// What holds where the options say nothing, as their comments name it.
const (
	defaultFailureRatio = 0.5
	defaultSlowRatio    = 0.8
	defaultMinRequests  = 10
	defaultWindow       = 10 * time.Second
	defaultOpenFor      = 2 * time.Second
)

func (c *compiler) breaker(in *porticov1.Breaker) *Breaker {
	if in == nil {
		return nil
	}

	out := &Breaker{
		FailureRatio: or(in.GetFailureRatio(), defaultFailureRatio), SlowRatio: or(in.GetSlowRatio(), defaultSlowRatio),
		MinRequests: uint32(max(or(in.GetMinRequests(), defaultMinRequests), 0)),
		Probes:      uint32(max(in.GetProbes(), 1)),
		Window:      c.optional("breaker.window", in.GetWindow(), defaultWindow),
		OpenFor:     c.optional("breaker.open_for", in.GetOpenFor(), defaultOpenFor),
		SlowAfter:   c.optional("breaker.slow_after", in.GetSlowAfter(), 0),
	}

	if !(out.FailureRatio > 0 && out.FailureRatio <= 1 && out.SlowRatio > 0 && out.SlowRatio <= 1) {
		c.faultf("breaker", "failure_ratio and slow_ratio must be over 0, up to 1")
	}

	if in.GetMinRequests() < 0 || in.GetProbes() < 0 {
		c.faultf("breaker", "min_requests and probes must not be negative")
	}

	return out
}
