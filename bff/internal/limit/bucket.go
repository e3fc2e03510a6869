package limit

import (
	"time"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// Rate is how fast a bucket fills, and how large it is.
type Rate struct {
	// Requests come back per Per, evenly. At least one, per at least a nanosecond each.
	Requests int64
	Per      time.Duration
	// Burst is the size of the bucket. Zero: Requests.
	Burst int64
}

func rateOf(l policy.RateLimit) Rate { return Rate{Requests: l.Requests, Per: l.Per, Burst: l.Burst} }

// maxSpan keeps sums of two times far from overflow: 73 years in nanoseconds.
const maxSpan = int64(1) << 61

// bucket is a rate in the terms of the algorithm.
type bucket struct {
	interval int64 // Nanoseconds in which a token comes back.
	span     int64 // Nanoseconds in which an empty bucket fills.
	size     int64
}

// bucket rounds the interval up, so that no more than the rate is ever allowed.
func (r Rate) bucket() bucket {
	requests := max(r.Requests, 1)

	size := r.Burst
	if size < 1 {
		size = requests
	}

	interval := max((int64(r.Per)+requests-1)/requests, 1)

	span := maxSpan
	if size <= maxSpan/interval {
		span = interval * size
	}

	return bucket{interval: interval, span: span, size: size}
}

// take decides on a request at the time now. The bucket is full at the time tat. The time returned is the new one.
func (b bucket) take(tat, now int64) (Decision, int64) {
	// A full bucket cannot be fuller. An empty one cannot be emptier: a later time stems from before the clock was set back.
	tat = min(max(tat, now), now+b.span)
	next := tat + b.interval

	if wait := next - now - b.span; wait > 0 {
		return Decision{Limit: b.size, ResetAfter: time.Duration(tat - now), RetryAfter: time.Duration(wait)}, tat
	}

	remaining := (b.span - (next - now)) / b.interval

	return Decision{Allowed: true, Limit: b.size, Remaining: remaining, ResetAfter: time.Duration(next - now)}, next
}
