// Package window makes rates and percentiles out of counters that only grow, over the last seconds: it is shown totals now and
// then, and compares the newest with older ones. It adds nothing to the cost of a request, since the counters are those of the
// metrics.
package window

// Totals are what was counted since the process began. Nothing in them is changed afterwards.
type Totals struct {
	// Routes are requests, by method and path template; the template is "" for requests that match no route.
	Routes map[Route]Timed
	// Upstreams are calls to backends, by the name of the upstream.
	Upstreams map[string]Timed
	// Limits are decisions on rate limits.
	Limits map[Limit]Decisions
	// Caches are what the cache did, by the method as in a selector.
	Caches map[string]Cached
	// Refused are requests that were refused because of overload.
	Refused Refused
	// Bounds are the upper bounds of the buckets of all that is timed, in seconds, in ascending order.
	Bounds []float64
}

// Route identifies a route.
type Route struct{ Method, Path string }

// Timed are requests or calls that have ended.
type Timed struct {
	// Count is how many, and Errors how many of them failed.
	Count, Errors float64
	// Buckets are how many took no longer than each of the Bounds; nil: none.
	Buckets []uint64
	// Observed is how many have a time.
	Observed uint64
}

// Limit identifies a rate limit for a kind of key. RPC is the method as in a selector, or "".
type Limit struct{ RPC, Name, Key string }

// Decisions are how many requests a limit allowed and refused.
type Decisions struct{ Allowed, Refused float64 }

// Cached are requests by what the cache did for them. Hits are those without a call.
type Cached struct{ Hits, Misses, Bypasses float64 }

// Refused are requests that were refused: because work waits for the CPU, or because too many requests or streams are in flight.
type Refused struct{ CPU, Requests, Streams float64 }
