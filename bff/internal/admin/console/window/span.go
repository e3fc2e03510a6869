package window

// Span is what happened between two totals.
type Span struct {
	before, after Totals
	seconds       float64
}

// Rates are what happened in a span.
type Rates struct {
	// PerSecond is how many ended, and ErrorShare the share of those that failed.
	PerSecond, ErrorShare float64
	// P50, P95 and P99 are percentiles of their times, in seconds. Zero: there were none.
	P50, P95, P99 float64
}

// The percentiles.
const (
	p50 = 0.50
	p95 = 0.95
	p99 = 0.99
)

// Routes lists those that had requests.
func (s Span) Routes() []Route {
	var routes []Route

	for route, after := range s.after.Routes {
		if after.Count > s.before.Routes[route].Count {
			routes = append(routes, route)
		}
	}

	return routes
}

// Route returns the rates of a route.
func (s Span) Route(route Route) Rates { return s.rates(s.before.Routes[route], s.after.Routes[route]) }

// Upstream returns the rates of an upstream.
func (s Span) Upstream(name string) Rates {
	return s.rates(s.before.Upstreams[name], s.after.Upstreams[name])
}

// Limits returns how many requests each limit allowed and refused, if it refused any.
func (s Span) Limits() map[Limit]Decisions {
	refusing := map[Limit]Decisions{}

	for limit, after := range s.after.Limits {
		before := s.before.Limits[limit]
		if after.Refused > before.Refused {
			refusing[limit] = Decisions{Allowed: after.Allowed - before.Allowed, Refused: after.Refused - before.Refused}
		}
	}

	return refusing
}

// Limit returns how many requests a limit allowed and refused, per second.
func (s Span) Limit(limit Limit) Decisions {
	before, after := s.before.Limits[limit], s.after.Limits[limit]
	return Decisions{Allowed: s.per(after.Allowed - before.Allowed), Refused: s.per(after.Refused - before.Refused)}
}

// Caches returns what the cache did for each method that had requests, per second.
func (s Span) Caches() map[string]Cached {
	used := map[string]Cached{}

	for rpc, after := range s.after.Caches {
		before := s.before.Caches[rpc]
		done := Cached{
			Hits: s.per(after.Hits - before.Hits), Misses: s.per(after.Misses - before.Misses),
			Bypasses: s.per(after.Bypasses - before.Bypasses),
		}

		if done != (Cached{}) {
			used[rpc] = done
		}
	}

	return used
}

// Refused returns how many requests were refused because of overload, per second.
func (s Span) Refused() Refused {
	before, after := s.before.Refused, s.after.Refused

	return Refused{
		CPU: s.per(after.CPU - before.CPU), Requests: s.per(after.Requests - before.Requests),
		Streams: s.per(after.Streams - before.Streams),
	}
}

// per is an amount per second.
func (s Span) per(amount float64) float64 {
	if s.seconds <= 0 {
		return 0
	}

	return amount / s.seconds
}

func (s Span) rates(before, after Timed) Rates {
	count := after.Count - before.Count
	if count <= 0 || s.seconds <= 0 {
		return Rates{}
	}

	d := distribution{before: before, after: after, bounds: s.after.Bounds}

	return Rates{
		PerSecond: count / s.seconds, ErrorShare: (after.Errors - before.Errors) / count,
		P50: d.quantile(p50), P95: d.quantile(p95), P99: d.quantile(p99),
	}
}

// distribution are the times of what ended between two totals.
type distribution struct {
	before, after Timed
	bounds        []float64
}

// upTo is how many took no longer than a bound.
func (d distribution) upTo(bucket int) float64 {
	n := d.after.Buckets[bucket]
	if d.before.Buckets != nil {
		n -= d.before.Buckets[bucket]
	}

	return float64(n)
}

// quantile estimates one as histogram_quantile of Prometheus does: linearly within a bucket, and at most the last bound.
func (d distribution) quantile(q float64) float64 {
	if len(d.after.Buckets) == 0 || d.after.Observed == d.before.Observed {
		return 0
	}

	rank := q * float64(d.after.Observed-d.before.Observed)
	lower, below := 0., 0.

	for bucket, upper := range d.bounds {
		within := d.upTo(bucket)
		if within >= rank && within > below {
			return lower + (upper-lower)*(rank-below)/(within-below)
		}

		lower, below = upper, within
	}

	return lower
}
