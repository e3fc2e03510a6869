// Package peer is how backends reach one another: it dials, and it turns the failure of a peer into an error that tells the client
// enough and no more.
//
// Who is calling is written on a call by package caller.
package peer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // Enables healthCheckConfig below.
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

// Timeout is for one call of a peer. It is shorter than what the gateway allows for a request (2 s for most), so that there is time
// to answer.
const Timeout = 1500 * time.Millisecond

// How long replicas have to answer a call, one after the other; the fourth has what is left of the call's time. Most calls take
// less than the first of these, so a replica that hangs is hardly noticed; one that is only slow gets a longer attempt.
const (
	firstAttempt  = 25 * time.Millisecond
	secondAttempt = 100 * time.Millisecond
	thirdAttempt  = 400 * time.Millisecond
)

// As the gateway's own connections to the services.
const (
	minBackoff       = 100 * time.Millisecond
	maxBackoff       = time.Second
	connectTimeout   = 2 * time.Second
	keepaliveTime    = 20 * time.Second
	keepaliveTimeout = 5 * time.Second
)

// serviceConfig spreads calls over the replicas that say they are serving, and makes a call again that a replica did not answer.
// That is for calls that may arrive twice; those among backends may: they read, or their receiver tells by an id.
const serviceConfig = `{
	"loadBalancingConfig": [{"round_robin": {}}],
	"healthCheckConfig": {"serviceName": ""},
	"methodConfig": [{"name": [{}], "retryPolicy": {
		"maxAttempts": 3, "initialBackoff": "0.02s", "maxBackoff": "0.2s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}}]
}`

// Dial prepares a connection to a gRPC target ("dns:///user:9001"), or to the addresses of replicas, separated by commas. It
// connects with the first call. The caller closes it.
func Dial(target string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		// A peer that comes back is found within a second, not within gRPC's default of up to two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: minBackoff, Multiplier: backoff.DefaultConfig.Multiplier, Jitter: backoff.DefaultConfig.Jitter,
				MaxDelay: maxBackoff,
			},
			MinConnectTimeout: connectTimeout,
		}),
	}

	if !strings.Contains(target, "://") {
		replicas := manual.NewBuilderWithScheme("replicas")
		replicas.InitialState(resolver.State{Endpoints: endpoints(target)})

		if strings.Contains(target, ",") {
			options = append(options, grpc.WithUnaryInterceptor(askAnother))
		}

		target, options = "replicas:///"+target, append(options, grpc.WithResolvers(replicas))
	}

	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}

	return conn, nil
}

func endpoints(addresses string) (all []resolver.Endpoint) {
	for address := range strings.SplitSeq(addresses, ",") {
		all = append(all, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address, ServerName: address}}})
	}

	return all
}

// askAnother is a grpc.UnaryClientInterceptor that makes a call again which a replica does not answer in time. gRPC does not: it
// waits until the deadline, and finds a process that hangs by its keepalive, after keepaliveTime and keepaliveTimeout.
func askAnother(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	for _, timeout := range []time.Duration{firstAttempt, secondAttempt, thirdAttempt} {
		attempt, cancel := context.WithTimeout(ctx, timeout)
		err := invoke(attempt, method, req, reply, conn, opts...)

		cancel()

		if status.Code(err) != codes.DeadlineExceeded || ctx.Err() != nil {
			return err
		}
	}

	return invoke(ctx, method, req, reply, conn, opts...)
}

// Failure explains the error of a call to a service: UNAVAILABLE without internals when the service cannot be reached or does not
// answer in time, the end of ctx when it is the caller who gave up, and otherwise an internal error.
func Failure(ctx context.Context, service string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ask %s service: %w", service, ctx.Err())
	}

	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return fault.Unavailable(err, "%s service is unavailable", service)
	default:
		return fmt.Errorf("ask %s service: %w", service, err)
	}
}
