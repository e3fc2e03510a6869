package restdiff

import (
	"fmt"
	"math"
	"slices"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// rateLimits finds limits that let through less than before. Each new one is held against the old one that it comes from: by whom
// they are for and by their kind, first those per the same time.
func (c *comparison) rateLimits() {
	before := slices.Clone(c.old.Policy.RateLimits)

	for i, now := range c.now.Policy.RateLimits {
		at := func(field string) protopos.Position {
			return protopos.Policy(c.now.Descriptor, fmt.Sprintf("rate_limits[%d].%s", i, field))
		}
		is := limitText(now)

		j := counterpart(before, now)
		if j < 0 {
			c.changedf(at("requests"), RateLimitTightened, "", is, "has a limit more: %s", is)

			continue
		}

		old := before[j]
		before = slices.Delete(before, j, j+1)

		if field := tighter(old, now); field != "" {
			was := limitText(old)
			c.changedf(at(field), RateLimitTightened, was, is, "lets through %s, not %s", is, was)
		}
	}
}

func counterpart(before []policy.RateLimit, now policy.RateLimit) int {
	same := func(old policy.RateLimit) bool { return old.Key == now.Key && old.Daily == now.Daily }

	if i := slices.IndexFunc(before, func(old policy.RateLimit) bool { return same(old) && old.Per == now.Per }); i >= 0 {
		return i
	}

	return slices.IndexFunc(before, same)
}

// tighter is the field of a limit by which it lets through less; empty if it does not.
func tighter(old, now policy.RateLimit) string {
	// A request a second apart makes no difference of rounding: limits are of small numbers.
	const slack = 1e-9

	rate := func(l policy.RateLimit) float64 { return float64(l.Requests) / float64(l.Cost) / l.Per.Seconds() }
	burst := func(l policy.RateLimit) float64 { return math.Floor(float64(l.Burst) / float64(l.Cost)) }
	slower := rate(now) < rate(old)*(1-slack)

	switch {
	case now.Cost > old.Cost && (slower || burst(now) < burst(old)):
		return "cost"
	case slower && now.Requests >= old.Requests:
		return "per"
	case slower:
		return "requests"
	case burst(now) < burst(old):
		return "burst"
	case now.Name != "" && now.Name != old.Name:
		return "name"
	case now.ClosedOnOutage && !old.ClosedOnOutage:
		return "closed_on_outage"
	default:
		return ""
	}
}

// limitText is the limit with what its short form leaves out.
func limitText(l policy.RateLimit) string {
	text := l.String()
	if l.Cost > 1 {
		text += fmt.Sprintf(" cost %d", l.Cost)
	}

	if l.Name != "" {
		text += " shared as " + l.Name
	}

	if l.ClosedOnOutage {
		text += " closed on outage"
	}

	return text
}
