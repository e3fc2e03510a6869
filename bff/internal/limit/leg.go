package limit

import (
	"context"
	"fmt"
	"slices"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// checkFailed is the format of the cause if the store fails, with the RPC and the error.
const checkFailed = "check rate limits of %s: %w"

// Leg takes the tokens of a call that a composite makes, from the buckets that Route takes those of requests from; name and limits
// are as there, and only the limits that say so count. The error is a problem for the client. Nil: no limit says so.
func (l *Limiter) Leg(name string, limits []*porticov1.RateLimit) func(context.Context) error {
	if !slices.ContainsFunc(limits, (*porticov1.RateLimit).GetLegs) {
		return nil
	}

	// With those of all limits, as the position of each is in its name.
	all := routeLimits(name, limits)
	counted := make([]limit, 0, len(all))

	for i, declared := range limits {
		if declared.GetLegs() {
			counted = append(counted, all[i])
		}
	}

	enforced := newRouteLimiter(l, name, counted)

	return func(ctx context.Context) error {
		d, err := enforced.check(ctx)

		switch {
		case err != nil:
			return fmt.Errorf("%w: "+checkFailed, unavailable(), name, err)
		case !d.Allowed:
			return reached(d)
		default:
			return nil
		}
	}
}
