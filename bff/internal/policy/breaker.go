package policy

import (
	"cmp"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// breaker completes the breaker, with the defaults that those of upstreams have.
func (c *compiler) breaker(b *porticov1.Breaker) {
	if b == nil {
		return
	}

	if b.GetMinRequests() < 0 || b.GetProbes() < 0 {
		c.faultf("breaker", "min_requests and probes must not be negative")
	}

	usual := config.Breaker{}.WithDefaults()
	b.FailureRatio, b.SlowRatio = cmp.Or(b.GetFailureRatio(), usual.FailureRatio), cmp.Or(b.GetSlowRatio(), usual.SlowRatio)
	b.MinRequests, b.Probes = cmp.Or(b.GetMinRequests(), int32(usual.MinRequests)), cmp.Or(b.GetProbes(), int32(usual.Probes))
	b.Window = c.optional("breaker.window", b.GetWindow(), usual.Window)
	b.OpenFor = c.optional("breaker.open_for", b.GetOpenFor(), usual.OpenFor)
	b.SlowAfter = c.optional("breaker.slow_after", b.GetSlowAfter(), 0)

	if !(b.GetFailureRatio() > 0 && b.GetFailureRatio() <= 1 && b.GetSlowRatio() > 0 && b.GetSlowRatio() <= 1) {
		c.faultf("breaker", "failure_ratio and slow_ratio must be over 0, up to 1")
	}

	if b.GetSlowAfter() == nil {
		b.SlowRatio = 0 // It would have no meaning.
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

	return cmp.Or(value, fallback)
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
