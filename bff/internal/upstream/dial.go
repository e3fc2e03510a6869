package upstream

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // Backends may compress replies, and some do even if the gateway does not accept it.
	_ "google.golang.org/grpc/health"        // Client-side health checks need it (gRFC A17).
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
)

// A backend that is up again is found within 0.6 seconds (maxBackoff with its jitter), so that the console shows it within two; one
// that is down costs about two attempts per address and second.
// Probes find an unresponsive one; without them, pings do. By default gRPC's servers permit a ping every five minutes, and only
// while there are calls; after more of them they send GOAWAY and end the calls (gRFC A8). So without probes, a frozen process is
// found after 5m15s (keepaliveTime and keepaliveTimeout); until then, calls to it end with their deadlines. A host or network that
// is down is found earlier on Linux over TCP: the kernel ends a connection whose data is not acknowledged within keepaliveTimeout
// (TCP_USER_TIMEOUT, gRFC A18). Elsewhere, and over Unix sockets, there is no such bound.
const (
	minBackoff       = 100 * time.Millisecond
	maxBackoff       = 500 * time.Millisecond
	backoffFactor    = 1.6
	backoffJitter    = 0.2
	connectTimeout   = 2 * time.Second
	keepaliveTime    = 5*time.Minute + 10*time.Second
	keepaliveTimeout = 5 * time.Second
)

// newGroup returns the group of the addresses of a backend.
func newGroup(name string, config Config, deps Deps) *balance.Group {
	return balance.NewGroup(name, balance.Settings{
		Probe: config.Probe, Ejection: config.Ejection, Logger: deps.Logger, Traced: deps.Traced,
	}, deps.Observer)
}

func dial(config Config, group *balance.Group, interceptors []grpc.DialOption) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if config.Transport != nil {
		transport = newTLSCredentials(config.Transport)
	}

	options, err := balancing(config, group, transport)
	if err != nil {
		return nil, err
	}

	// Defaults that a program may override come before its options.
	defaults := []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: minBackoff, Multiplier: backoffFactor, Jitter: backoffJitter, MaxDelay: maxBackoff,
			},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout,
		}),
	}
	options = slices.Concat(defaults, interceptors, options)

	if config.Authority != "" {
		options = append(options, grpc.WithAuthority(config.Authority))
	}

	// Default options cost every call a list of them.
	if config.MaxReceiveBytes != grpcMaxReceiveBytes {
		options = append(options, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(config.MaxReceiveBytes)))
	}

	target := config.Target
	if target == "" {
		target = static + ":///"
		// With a proxy of the environment, gRPC would lose the authority and the connection of each address.
		options = append(options, grpc.WithNoProxy())
	}

	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}

	return conn, nil
}

// controlled reports whether a control plane decides which addresses there are, how they are balanced and which calls are retried
// (xDS; gRFC A27). Its address is in the bootstrap file that GRPC_XDS_BOOTSTRAP names. The configuration of balancing, probes,
// ejection and retries has no effect on such a target.
func controlled(target string) bool { return strings.HasPrefix(target, "xds:") }

// balancing returns the options for finding and choosing addresses: those of the gateway, or of a control plane.
func balancing(
	config Config, group *balance.Group, transport credentials.TransportCredentials,
) ([]grpc.DialOption, error) {
	if controlled(config.Target) {
		return controlPlane(transport)
	}

	rules, err := serviceConfig(config)
	if err != nil {
		return nil, err
	}

	return []grpc.DialOption{
		grpc.WithTransportCredentials(balance.Track(transport)),
		grpc.WithDefaultServiceConfig(rules),
		// A DNS record must not decide what may be retried: the schema does.
		grpc.WithDisableServiceConfig(),
		grpc.WithResolvers(resolvers(config, group)...),
	}, nil
}

// NewStub returns a stub connection, without a backend: its interceptors must handle every call themselves. The caller closes it.
func NewStub(unary grpc.UnaryClientInterceptor, stream grpc.StreamClientInterceptor) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///stub", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(unary), grpc.WithStreamInterceptor(stream))
	if err != nil {
		return nil, fmt.Errorf("stub connection: %w", err)
	}

	return conn, nil
}

// static is the scheme of a list of addresses.
const static = "static"

// list resolves to the addresses, each with an authority of its own: gRPC uses it as :authority and as the name that TLS verifies,
// unless the configuration has another. gRPC's default, the target, is empty here.
func list(config Config) resolver.Builder {
	endpoints := make([]resolver.Endpoint, 0, len(config.Addresses))

	for _, address := range config.Addresses {
		at := resolver.Address{Addr: address, ServerName: authority(address)}
		endpoints = append(endpoints, resolver.Endpoint{Addresses: []resolver.Address{at}})
	}

	builder := manual.NewBuilderWithScheme(static)
	builder.InitialState(resolver.State{Endpoints: endpoints})

	return builder
}

// authority is that of an address (RFC 9113, section 8.3.1): its host and port, or gRPC's default without a host. The zone of an
// IPv6 address has a meaning on this machine alone (RFC 6874, section 4).
func authority(address string) string {
	if strings.HasPrefix(address, "unix:") {
		return "localhost"
	}

	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}

	host, _, _ = strings.Cut(host, "%")
	if host == "" {
		host = "localhost"
	}

	return net.JoinHostPort(host, port)
}
