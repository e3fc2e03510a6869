package policy

import (
	"cmp"
	"fmt"
	"math"
	"time"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// rateLimits completes the limits.
func (c *compiler) rateLimits() {
	if !c.route.Bound() {
		c.legLimits()
	}

	for i, l := range c.Effective.GetRateLimits() {
		c.rateLimit(fmt.Sprintf("rate_limits[%d]", i), l)
	}
}

func (c *compiler) rateLimit(where string, l *porticov1.RateLimit) {
	const most = math.MaxInt32

	principal := porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL
	l.Key = known(c, where+".key", l.GetKey(), principal, porticov1.RateLimitKey_name)
	size := cmp.Or(l.GetBurst(), l.GetRequests())

	switch {
	case l.GetDaily() && (l.GetPer() != nil || l.GetBurst() != 0):
		c.faultf(where, "a daily quota has no per and no burst")
	case !l.GetDaily():
		l.Per, l.Burst = c.optional(where+".per", l.GetPer(), time.Second), size
	}

	if l.GetRequests() < 1 || l.GetRequests() > most {
		c.faultf(where+".requests", "%d is not between 1 and %d", l.GetRequests(), most)
	}

	if size < 1 || size > most {
		c.faultf(where+".burst", "%d is not between 1 and %d", size, most)
	}

	if l.GetCost() < 0 || l.GetCost() > max(size, 1) {
		c.faultf(where+".cost", "%d is not between 1 and the burst, %d", l.GetCost(), size)
	}

	l.Cost = max(l.GetCost(), 1)
}
