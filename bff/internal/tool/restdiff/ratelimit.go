package restdiff

import (
	"fmt"
	"math"
	"slices"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// rateLimits finds limits that let through less than before. Each new one is held against the old one that it comes from: by whom
// they are for and by their kind, first those per the same time.
func (c *comparison) rateLimits() {
	before := slices.Clone(c.old.Policy.Effective.GetRateLimits())

	text := func(l *porticov1.RateLimit) string {
		return policy.Text("rate_limits", l.ProtoReflect(), policy.Style{})
	}

	for i, now := range c.now.Policy.Effective.GetRateLimits() {
		at := func(field string) protopos.Position {
			return protopos.Policy(c.now.Descriptor, fmt.Sprintf("rate_limits[%d].%s", i, field))
		}
		is := text(now)

		j := counterpart(before, now)
		if j < 0 {
			c.changedf(at("requests"), RateLimitTightened, "", is, "has a limit more: %s", is)

			continue
		}

		old := before[j]
		before = slices.Delete(before, j, j+1)

		if field := tighter(old, now); field != "" {
			was := text(old)
			c.changedf(at(field), RateLimitTightened, was, is, "lets through %s, not %s", is, was)
		}
	}
}

func counterpart(before []*porticov1.RateLimit, now *porticov1.RateLimit) int {
	same := func(old *porticov1.RateLimit) bool {
		return old.GetKey() == now.GetKey() && old.GetDaily() == now.GetDaily()
	}

	if i := slices.IndexFunc(before, func(old *porticov1.RateLimit) bool {
		return same(old) && old.GetPer().AsDuration() == now.GetPer().AsDuration()
	}); i >= 0 {
		return i
	}

	return slices.IndexFunc(before, same)
}

// tighter is the field of a limit by which it lets through less; empty if it does not.
func tighter(old, now *porticov1.RateLimit) string {
	// A request a second apart makes no difference of rounding: limits are of small numbers.
	const slack = 1e-9

	rate := func(l *porticov1.RateLimit) float64 {
		return float64(l.GetRequests()) / float64(l.GetCost()) / max(l.GetPer().AsDuration().Seconds(), slack)
	}
	burst := func(l *porticov1.RateLimit) float64 { return math.Floor(float64(l.GetBurst()) / float64(l.GetCost())) }
	slower := rate(now) < rate(old)*(1-slack)

	switch {
	case now.GetCost() > old.GetCost() && (slower || burst(now) < burst(old)):
		return "cost"
	case slower && now.GetRequests() >= old.GetRequests():
		return "per"
	case slower:
		return "requests"
	case burst(now) < burst(old):
		return "burst"
	case now.GetName() != "" && now.GetName() != old.GetName():
		return "name"
	default:
		return switchedOn(old, now)
	}
}

// switchedOn is the switch by which a limit counts or refuses more; empty if there is none.
func switchedOn(old, now *porticov1.RateLimit) string {
	switch {
	case now.GetClosedOnOutage() && !old.GetClosedOnOutage():
		return "closed_on_outage"
	case now.GetLegs() && !old.GetLegs():
		return "legs"
	default:
		return ""
	}
}
