package upstream

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // Client-side health checks need it (gRFC A17).
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// A backend that comes back is found again within two seconds; one that is gone costs at most one attempt per address in that
// time. A silent one is noticed after 25 seconds. Servers must permit pings every 20 seconds, also without calls.
const (
	minBackoff       = 100 * time.Millisecond
	maxBackoff       = 2 * time.Second
	backoffFactor    = 1.6
	backoffJitter    = 0.2
	connectTimeout   = 2 * time.Second
	keepaliveTime    = 20 * time.Second
	keepaliveTimeout = 5 * time.Second
)

// serviceConfig balances over all addresses that say SERVING for the whole server (health service name "").
const serviceConfig = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`

func dial(config Config, interceptors []grpc.DialOption) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if config.TLS != nil {
		transport = tlsCredentials{config.TLS}
	}

	options := slices.Concat(interceptors, []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: minBackoff, Multiplier: backoffFactor, Jitter: backoffJitter, MaxDelay: maxBackoff,
			},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
	})

	target := config.Target

	switch {
	case (target == "") == (len(config.Addresses) == 0):
		return nil, errors.New("needs either addresses or a target")
	case target == "":
		static := manual.NewBuilderWithScheme("static")
		static.InitialState(resolver.State{Endpoints: endpoints(config)})

		options = append(options, grpc.WithResolvers(static))
		target = "static:///"
	}

	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}

	return conn, nil
}

// Nowhere returns a connection that leads to no backend: its interceptors must answer every call themselves. The caller closes it.
func Nowhere(unary grpc.UnaryClientInterceptor, stream grpc.StreamClientInterceptor) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///nowhere", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(unary), grpc.WithStreamInterceptor(stream))
	if err != nil {
		return nil, fmt.Errorf("connect to nowhere: %w", err)
	}

	return conn, nil
}

// endpoints are the addresses. With TLS each must show a certificate for the host of its own address, unless the configuration
// names another.
func endpoints(config Config) []resolver.Endpoint {
	list := make([]resolver.Endpoint, 0, len(config.Addresses))

	for _, address := range config.Addresses {
		at := resolver.Address{Addr: address}
		if config.TLS != nil {
			at.ServerName = address
		}

		list = append(list, resolver.Endpoint{Addresses: []resolver.Address{at}})
	}

	return list
}
