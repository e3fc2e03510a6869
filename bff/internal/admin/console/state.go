package console

import "time"

// State is what goes on in the gateway. It is the data of the event "state", which is sent once a second. It has no secrets, no
// paths or queries of requests, and nothing about callers.
//
// Rates are per second, times are in milliseconds (names that end with _ms) or RFC 3339, and shares are between 0 and 1.
type State struct {
	// Time is when it was made.
	Time time.Time `json:"time"`
	// Ready reports whether /readyz is 200, by Checks.
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
	// Drained is since when an operator has the gateway report that it is not ready. Absent: none has.
	Drained *time.Time `json:"drained,omitempty"`
	// Stopping reports that the gateway stops: this is one of the last events.
	Stopping bool `json:"stopping,omitempty"`

	CPU         CPU      `json:"cpu"`
	Requests    InFlight `json:"requests"`
	Streams     InFlight `json:"streams"`
	Connections InFlight `json:"connections"`

	// Upstreams are in the order of their names.
	Upstreams []Upstream `json:"upstreams"`
	// Routes are those that had requests in the last minute, or have some in flight, by path and method. The path is "" for
	// requests that match no route.
	Routes []RouteState `json:"routes"`
	// Limits are the rate limits that refused requests in the last minute, those that refuse most first.
	Limits []Limit `json:"limits"`
	Cache  Cache   `json:"cache"`
	// Redis is absent if there is none.
	Redis *Redis `json:"redis,omitempty"`
	// Log is absent if the program has a logger of its own.
	Log *Log `json:"log,omitempty"`
	// Failures are the last refusals and errors, the newest first, up to MaxFailures.
	Failures []Failure `json:"failures"`
}

// Check is one of the checks of /readyz.
type Check struct {
	Name string `json:"name"`
	// State is "ok" or another word, and Detail says more.
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
	// Required: unless it is "ok", the gateway is not ready.
	Required bool `json:"required"`
}

// CPU is how the gateway is guarded against too much work for its CPU.
type CPU struct {
	// DelayMS is how long work waited for a CPU, most recently, and TargetMS the setting overload.target_delay.
	DelayMS  float64 `json:"delay_ms"`
	TargetMS float64 `json:"target_ms"`
	// RefusedPerSecond is how many requests were refused because of it, over the last 10 seconds.
	RefusedPerSecond float64 `json:"refused_per_second"`
}

// InFlight is how many there are of something that is bounded.
type InFlight struct {
	InFlight int64 `json:"in_flight"`
	// Limit is the bound. Absent: there is none.
	Limit int64 `json:"limit,omitempty"`
	// RefusedPerSecond is how many were refused because of the bound, over the last 10 seconds. It is always 0 for connections.
	RefusedPerSecond float64 `json:"refused_per_second"`
}

// Rates is what happened in a time.
type Rates struct {
	// PerSecond is how many requests or calls ended. Streams count when they end.
	PerSecond float64 `json:"per_second"`
	// ErrorShare is the share of errors: of requests, status 5xx; of calls, gRPC codes that are a 5xx.
	ErrorShare float64 `json:"error_share"`
	// P50MS, P95MS and P99MS are estimated from the buckets of the histograms in /metrics, whose bounds are 1, 2.5, 5, 10, 25, 50,
	// … 10000 ms. A time above the last bound counts as the last bound. Absent: nothing ended.
	P50MS float64 `json:"p50_ms,omitempty"`
	P95MS float64 `json:"p95_ms,omitempty"`
	P99MS float64 `json:"p99_ms,omitempty"`
}

// Windows are rates over the last 10 seconds and the last minute; over less right after the first page has connected.
type Windows struct {
	Short Rates `json:"last_10s"`
	Long  Rates `json:"last_1m"`
}

// Upstream is the state of a backend.
type Upstream struct {
	Windows

	Name string `json:"name"`
	// State is "ok", or "unavailable" if its breaker is open or none of its addresses can be called. Detail says why.
	State   string  `json:"state"`
	Detail  string  `json:"detail,omitempty"`
	Breaker Breaker `json:"breaker"`
	// Methods are the breakers that methods have of their own, in the order of their names.
	Methods []MethodBreaker `json:"methods,omitempty"`
	// Addresses are those that calls are balanced over. Absent: there is no connection, or a control plane (xds) has them.
	Addresses []Address `json:"addresses,omitempty"`
	// InFlight is how many calls have not ended, with streams.
	InFlight int `json:"in_flight"`
	// Waiting is how many calls wait for their reply, which count against ConcurrencyLimit. Absent: there is no limit.
	Waiting          int `json:"waiting,omitempty"`
	ConcurrencyLimit int `json:"concurrency_limit,omitempty"`
}

// Breaker is the state of a circuit breaker.
type Breaker struct {
	// State is "closed", "half-open" or "open".
	State string `json:"state"`
	// Forced reports that an operator holds it in this state.
	Forced bool `json:"forced,omitempty"`
}

// MethodBreaker is that of a method.
type MethodBreaker struct {
	Breaker

	// RPC is the method as in a selector.
	RPC string `json:"rpc"`
}

// Address is an address of a backend.
type Address struct {
	Address string `json:"address"`
	// State is "ready", "drained" (by an operator), "ejected", "unresponsive", "unhealthy", "connecting", "failing" or "idle".
	State string `json:"state"`
	// Until is when an ejected address is tried again.
	Until time.Time `json:"until,omitzero"`
}

// RouteState is what goes on at a route.
type RouteState struct {
	Windows

	Method string `json:"method"`
	Path   string `json:"path"`
	// InFlight is how many requests are being served now, with streams.
	InFlight int64 `json:"in_flight"`
}

// Limit is a rate limit, for one kind of key. The rates are over the last 10 seconds.
type Limit struct {
	// RPC is the method as in a selector. Absent: it is limits.client, or shared by several.
	RPC string `json:"rpc,omitempty"`
	// Limit is its name in the policy, or the one in the header RateLimit.
	Limit string `json:"limit"`
	// Key is what callers are known by: "principal", "client", "api-key", "tenant", "global".
	Key              string  `json:"key"`
	RefusedPerSecond float64 `json:"refused_per_second"`
	AllowedPerSecond float64 `json:"allowed_per_second"`
	// RefusedLastMinute is how many requests were refused in the last minute.
	RefusedLastMinute float64 `json:"refused_last_minute"`
}

// Cache is what the cache did in the last minute.
type Cache struct {
	CacheRates

	// RPCs are the methods with cached responses that had requests, in the order of their names.
	RPCs []CacheRPC `json:"rpcs"`
}

// CacheRPC is what the cache did for a method.
type CacheRPC struct {
	CacheRates

	// RPC is the method as in a selector.
	RPC string `json:"rpc"`
}

// CacheRates are rates of requests over the last minute.
type CacheRates struct {
	// HitRatio is the share of requests that were served without a call: from the store, or with what was fetched for another one.
	// Requests that bypass the cache do not count. Absent: there were none.
	HitRatio *float64 `json:"hit_ratio,omitempty"`
	// HitsPerSecond, MissesPerSecond and BypassesPerSecond are how many of each there were.
	HitsPerSecond     float64 `json:"hits_per_second"`
	MissesPerSecond   float64 `json:"misses_per_second"`
	BypassesPerSecond float64 `json:"bypasses_per_second"`
}

// Redis is the state of the Redis that gateways share.
type Redis struct {
	// Breaker is the state of its circuit breaker: "closed", "half-open" or "open".
	Breaker string `json:"breaker"`
	// Trouble is why it does not work. Absent: it does.
	Trouble []string `json:"trouble,omitempty"`
}

// Log is the level of the log.
type Log struct {
	// Level is the one in force, and Configured that of the configuration.
	Level      string `json:"level"`
	Configured string `json:"configured"`
	// Until is when the configured level applies again. Absent: it does.
	Until time.Time `json:"until,omitzero"`
}

// MaxFailures is how many failures are remembered.
const MaxFailures = 100

// Failure is a request that the gateway refused, or whose status is 5xx. The log has more about it, by its request id.
type Failure struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id"`
	// Method is the HTTP method, and Path the path template of its route, never the path itself. The path is "" if none matched.
	Method string `json:"method"`
	Path   string `json:"path"`
	// RPC is the method as in a selector. Absent: no route matched.
	RPC    string `json:"rpc,omitempty"`
	Status int    `json:"status"`
	// Code is the gRPC code, "UNAVAILABLE".
	Code string `json:"code"`
	// Reason is why the gateway itself refused it, as in the log. Absent: it did not.
	Reason string `json:"reason,omitempty"`
	// Limit is the rate limit that was reached.
	Limit string `json:"limit,omitempty"`
	// Upstream are the upstreams that were called, with commas, and Address where the call went that failed.
	Upstream string `json:"upstream,omitempty"`
	Address  string `json:"address,omitempty"`
	// Text says in general words what Reason or Code mean. It has nothing from the request or from backends.
	Text string `json:"text"`
	// TookMS is from its arrival to the end of its response.
	TookMS float64 `json:"took_ms"`
}

// Snapshot is the body of GET /console/state.
type Snapshot struct {
	About About `json:"about"`
	State State `json:"state"`
}
