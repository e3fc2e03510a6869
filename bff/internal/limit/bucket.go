package limit

import (
	"math/bits"
	"time"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Rate is how fast a bucket fills, and how large it is; or a quota for the day.
type Rate struct {
	// Requests are added per Per, evenly. At least one, per at least a nanosecond each.
	Requests int64
	Per      time.Duration
	// Burst is the size of the bucket. Zero: Requests.
	Burst int64
	// Daily makes it a quota of Requests from midnight to midnight, UTC. Per and Burst have no effect then.
	Daily bool
}

// Day is the window of a daily quota. Times as POSIX has them know no leap seconds.
const Day = 24 * time.Hour

func rateOf(l *porticov1.RateLimit) Rate {
	return Rate{Requests: l.GetRequests(), Per: l.GetPer().AsDuration(), Burst: l.GetBurst(), Daily: l.GetDaily()}
}

// Size is the most that can be taken at once.
func (r Rate) Size() int64 {
	if r.Burst < 1 || r.Daily {
		return max(r.Requests, 1)
	}

	return r.Burst
}

// Interval is the time in which a token is added, in units, rounded up, so that no more than the rate is ever allowed.
func (r Rate) Interval(unit time.Duration) int64 {
	parts := max(r.Requests, 1) * int64(unit)
	return max((int64(r.Per)+parts-1)/parts, 1)
}

// window is the time in which an empty bucket fills.
func (r Rate) window() time.Duration {
	if r.Daily {
		return Day
	}

	return time.Duration(r.bucket().span)
}

// maxSpan keeps sums of three times far from overflow: 73 years in nanoseconds.
const maxSpan = int64(1) << 61

// bucket is a rate in the terms of the algorithm.
type bucket struct {
	interval int64 // Nanoseconds in which a token is added.
	span     int64 // Nanoseconds in which an empty bucket fills.
	size     int64
}

func (r Rate) bucket() bucket {
	b := bucket{interval: r.Interval(time.Nanosecond), size: r.Size()}
	b.span = b.time(b.size)

	return b
}

// time is the time in which so many tokens are added.
func (b bucket) time(tokens int64) int64 {
	// Faster than a division.
	high, low := bits.Mul64(uint64(tokens), uint64(b.interval))
	if high > 0 || low > uint64(maxSpan) {
		return maxSpan
	}

	return int64(low)
}

// take decides on a request at the time now. The bucket is full at the time tat, and then at the time returned.
func (b bucket) take(tat, now, cost int64) (Decision, int64) {
	// A full bucket cannot be fuller. An empty one cannot be emptier: a later time is from before the clock was set back.
	tat = min(max(tat, now), now+b.span)
	next := tat + b.time(cost)

	wait := next - now - b.span
	if wait > 0 {
		next = tat
	}

	return Decision{
		Allowed: wait <= 0, Limit: b.size, Remaining: (b.span - (next - now)) / b.interval,
		ResetAfter: time.Duration(next - now), RetryAfter: time.Duration(max(wait, 0)),
	}, next
}

// quota is what may be taken in a day. Its state is the end of the day plus a nanosecond for each token that was taken: one time,
// as a bucket's, and before the end of the next day however many they are.
type quota int64

// take decides on a request when so much of the day is left.
func (q quota) take(state, end int64, left time.Duration, cost int64) (Decision, int64) {
	used := min(max(state-end, 0), int64(q))

	decision := Decision{Allowed: cost <= int64(q)-used, Limit: int64(q), ResetAfter: left}
	if decision.Allowed {
		used += cost
	} else {
		decision.RetryAfter = left
	}

	decision.Remaining = int64(q) - used

	return decision, end + used
}
