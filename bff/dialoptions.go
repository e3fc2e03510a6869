package bff

import (
	"maps"
	"slices"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// WithDialOptions adds options of grpc.NewClient to the connection to an upstream of the configuration: interceptors, stats
// handlers (for tracing), per-RPC credentials, a dialer, keepalive, the backoff between connections.
//
// Interceptors see a call once, however often it is made again, after the gateway has checked the request and written the metadata,
// to which they may add. They get the reply decoded, and may change it. From the outside in:
//
//	checks and metadata of the gateway
//	→ interceptors (grpc.WithChainUnaryInterceptor, grpc.WithChainStreamInterceptor)
//	→ deadline, metrics, concurrency limit, circuit breakers, hedging, retries
//	→ stats handlers, per-RPC credentials, for each attempt
//
// A call that an interceptor does not pass on does not count for breakers and metrics. A panic of an interceptor results in
// 500; one of a stats handler ends the process, as in any gRPC client. Calls to composites are no calls to an upstream, but the
// calls that they make are.
//
// Without it, connections are as the configuration of the upstream says. Open refuses what the gateway sets itself: transport
// credentials (upstreams.NAME.tls), the authority, resolvers, service configs and retries, health checks, the limit of a received
// message (max_receive_bytes), the single interceptors of grpc.WithUnaryInterceptor and grpc.WithStreamInterceptor, which would
// come before the checks, and options that grpc.NewClient ignores. Open applies each option twice.
func WithDialOptions(upstream string, dialOptions ...grpc.DialOption) Option {
	return func(o *options) {
		if o.dialOptions == nil {
			o.dialOptions = map[string][]grpc.DialOption{}
		}

		o.dialOptions[upstream] = append(o.dialOptions[upstream], dialOptions...)
	}
}

// checkDialOptions adds what is wrong with dial options to the faults.
func checkDialOptions(all map[string][]grpc.DialOption, cfg config.Config, faults *optionFaults) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, known := cfg.Upstreams[name]; !known {
			faults.addf("WithDialOptions: upstream %q is not configured; known are %q",
				name, slices.Sorted(maps.Keys(cfg.Upstreams)))
		}

		for i, option := range all[name] {
			if err := upstream.CheckDialOption(option); err != nil {
				faults.addf("WithDialOptions: upstream %q: option %d: %w", name, i+1, err)
			}
		}
	}
}
