package config

import "time"

// Upstream is one backend. It needs either addresses or a target.
type Upstream struct {
	// Addresses are those of the backend, host:port or Unix sockets (unix:path), which are used in turn.
	Addresses []string `env:"ADDRESSES" yaml:"addresses"`
	// Target is a gRPC name, "dns:///user.prod.svc:9000"; all addresses behind it are used in turn.
	Target string `env:"TARGET" yaml:"target"`
	// Authority is the :authority of calls, as host[:port], for a backend or a proxy that expects a certain one. Default: the
	// address of each connection, the name in target, or localhost for Unix sockets.
	Authority string `env:"AUTHORITY" yaml:"authority"`
	// Balancing is how calls are spread over the addresses: round_robin, least_request, weighted_round_robin (by the load that
	// backends report, gRFC A51) or ring_hash (a caller stays with a backend). Default round_robin. The control plane of an xds
	// target decides for itself.
	Balancing string `default:"round_robin" enum:"round_robin,least_request,weighted_round_robin,ring_hash" env:"BALANCING" yaml:"balancing"` //nolint:lll // A tag is one line.
	// RefreshInterval is how often a DNS name is resolved without a failure, at least every second. Default 30s.
	RefreshInterval time.Duration `default:"30s" env:"REFRESH_INTERVAL" yaml:"refresh_interval"`
	// Probe finds out which addresses respond at all.
	Probe Probe `envPrefix:"PROBE_" yaml:"probe"`
	// Ejection leaves out addresses that fail.
	Ejection Ejection `envPrefix:"EJECTION_" yaml:"ejection"`
	// Concurrency finds out how many calls the backend can take at a time.
	Concurrency Concurrency `envPrefix:"CONCURRENCY_" yaml:"concurrency"`
	// Breaker stops calls to a backend that does not respond.
	Breaker Breaker `envPrefix:"BREAKER_" yaml:"breaker"`
	// MaxReceiveBytes is the largest message, in bytes, that is accepted from it, also within streams. Default 4 MiB.
	MaxReceiveBytes int `default:"4194304" env:"MAX_RECEIVE_BYTES" yaml:"max_receive_bytes"`
	// TLS encrypts the connections to it. The files are read again when they change.
	TLS UpstreamTLS `envPrefix:"TLS_" yaml:"tls"`
	// ForwardAuthorization passes the client's Authorization header on, once it has been verified. Default: it does not leave the
	// gateway.
	ForwardAuthorization bool `env:"FORWARD_AUTHORIZATION" yaml:"forward_authorization"`
}

// The values of Upstream.Balancing.
const (
	// RoundRobin takes the addresses in turn.
	RoundRobin = "round_robin"
	// LeastRequest takes the one of two, chosen at random, with fewer calls under way (gRFC A48).
	LeastRequest = "least_request"
	// WeightedRoundRobin takes those more often that report less load with their replies (ORCA; gRFC A58).
	WeightedRoundRobin = "weighted_round_robin"
	// RingHash keeps the calls of a caller on the same address (gRFC A42, A76).
	RingHash = "ring_hash"
)

// Probe asks each address for its health (grpc.health.v1). Any reply will do: the status in it is watched all the time by another
// call.
type Probe struct {
	// Disabled turns it off.
	Disabled bool `env:"DISABLED" yaml:"disabled"`
	// Interval is how often it asks. Default 500ms.
	Interval time.Duration `default:"500ms" env:"INTERVAL" yaml:"interval"`
	// Timeout is how long a reply may take before the connection is given up, and the calls on it. Default 1s.
	Timeout time.Duration `default:"1s" env:"TIMEOUT" yaml:"timeout"`
}

// Ejection leaves out, for a while, an address at which calls fail one after the other, or that is the only one that replies with
// errors.
type Ejection struct {
	// Disabled turns it off.
	Disabled bool `env:"DISABLED" yaml:"disabled"`
	// Failures are how many calls fail one after the other before. Default 5.
	Failures int `default:"5" env:"FAILURES" yaml:"failures"`
	// Time is how long the first time, and how much longer each further time, up to a minute. Default 5s.
	Time time.Duration `default:"5s" env:"TIME" yaml:"time"`
	// MaxRatio is the part of the addresses that may be left out at a time. Default 0.5.
	MaxRatio float64 `default:"0.5" env:"MAX_RATIO" max:"1" yaml:"max_ratio"`
}

// Concurrency is a limit that follows what the backend can take: when replies get slower, fewer calls are made at a time.
type Concurrency struct {
	// Disabled turns it off.
	Disabled bool `env:"DISABLED" yaml:"disabled"`
	// Min and Max bound the limit. Default 20 and 1000.
	Min int `default:"20"   env:"MIN" yaml:"min"`
	Max int `default:"1000" env:"MAX" yaml:"max"`
	// Initial is where it begins. Default 200.
	Initial int `computed:"200, within min and max" env:"INITIAL" yaml:"initial"`
}

// UpstreamTLS is TLS towards a server. The files are PEM.
type UpstreamTLS struct {
	// Enabled turns it on; so does any of the others.
	Enabled bool `env:"ENABLED" yaml:"enabled"`
	// CAFile are the authorities that vouch for the server. Default: those of the system.
	CAFile string `env:"CA_FILE" yaml:"ca_file"`
	// CertFile and KeyFile are what the gateway shows to the server (mTLS).
	CertFile string `env:"CERT_FILE" yaml:"cert_file"`
	KeyFile  string `env:"KEY_FILE"  yaml:"key_file"`
	// ServerName is the name to ask for (SNI) and to expect in its certificate. It is not the :authority of calls.
	// Default: the host of the authority.
	ServerName string `env:"SERVER_NAME" yaml:"server_name"`
}

// On reports whether TLS is used.
func (t UpstreamTLS) On() bool { return t != UpstreamTLS{} }

// Breaker is a circuit breaker. Only unavailability and timeouts count as failures.
type Breaker struct {
	// FailureRatio is the part of the calls in the window that fail, at which it opens. Default 0.5.
	FailureRatio float64 `default:"0.5" env:"FAILURE_RATIO" max:"1" yaml:"failure_ratio"`
	// MinRequests are the calls in the window that it needs before it can open. Default 10.
	MinRequests uint32 `default:"10" env:"MIN_REQUESTS" yaml:"min_requests"`
	// Window is how far back calls count. Default 10s.
	Window time.Duration `default:"10s" env:"WINDOW" yaml:"window"`
	// OpenFor is how long it refuses calls before it tries again. Default 2s.
	OpenFor time.Duration `default:"2s" env:"OPEN_FOR" yaml:"open_for"`
	// SlowAfter is how long a call may take before it counts as slow. Default 0s: none is slow.
	SlowAfter time.Duration `env:"SLOW_AFTER" yaml:"slow_after"`
	// SlowRatio is the part of slow calls in the window, at which it opens as well. Default 0.8.
	SlowRatio float64 `default:"0.8" env:"SLOW_RATIO" max:"1" yaml:"slow_ratio"`
	// Probes are the calls that must succeed before it closes. Default 1.
	Probes uint32 `default:"1" env:"PROBES" yaml:"probes"`
}
