package policy

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// What holds where the options say nothing, as their comments name it.
const (
	defaultFailureRatio = 0.5
	defaultSlowRatio    = 0.8
	defaultMinRequests  = 10
	defaultWindow       = 10 * time.Second
	defaultOpenFor      = 2 * time.Second
)

// breaker completes the breaker.
func (c *compiler) breaker(b *porticov1.Breaker) {
	if b == nil {
		return
	}

	if b.GetMinRequests() < 0 || b.GetProbes() < 0 {
		c.faultf("breaker", "min_requests and probes must not be negative")
	}

	b.FailureRatio, b.SlowRatio = or(b.GetFailureRatio(), defaultFailureRatio), or(b.GetSlowRatio(), defaultSlowRatio)
	b.MinRequests, b.Probes = or(b.GetMinRequests(), defaultMinRequests), or(b.GetProbes(), 1)
	b.Window = c.optional("breaker.window", b.GetWindow(), defaultWindow)
	b.OpenFor = c.optional("breaker.open_for", b.GetOpenFor(), defaultOpenFor)
	b.SlowAfter = c.optional("breaker.slow_after", b.GetSlowAfter(), 0)

	if !(b.GetFailureRatio() > 0 && b.GetFailureRatio() <= 1 && b.GetSlowRatio() > 0 && b.GetSlowRatio() <= 1) {
		c.faultf("breaker", "failure_ratio and slow_ratio must be over 0, up to 1")
	}

	if b.GetSlowAfter() == nil {
		// It would have no meaning.
		b.SlowRatio = 0
	}
}

// known refuses a value of an enum that this gateway does not know, and returns the default where there is none.
func known[E interface {
	~int32
	comparable
}](c *compiler, field string, value, fallback E, names map[int32]string) E {
	if _, ok := names[int32(value)]; !ok {
		c.faultf(field, "%d is unknown to this gateway", int32(value))
	}

	return or(value, fallback)
}

// optional is a duration, or the default where there is none. No default leaves it out.
func (c *compiler) optional(field string, in *durationpb.Duration, fallback time.Duration) *durationpb.Duration {
	switch {
	case in != nil:
		c.duration(field, in)

		return in
	case fallback == 0:
		return nil
	default:
		return durationpb.New(fallback)
	}
}
