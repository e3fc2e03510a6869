package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/google"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/stats"
)

func unaryAsIs(
	ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	return next(ctx, rpc, req, reply, cc, opts...)
}

func streamAsIs(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, rpc string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return open(ctx, desc, cc, rpc, opts...)
}

func TestCheckDialOptionRefuses(t *testing.T) {
	t.Parallel()

	const limit = 7

	for name, option := range map[string]grpc.DialOption{
		"is nil":                                                nil,
		"an interceptor in it is nil":                           grpc.WithChainUnaryInterceptor(unaryAsIs, nil),
		"a call option in it is nil":                            grpc.WithDefaultCallOptions(grpc.WaitForReady(true), nil),
		"credentials in it is nil":                              grpc.WithPerRPCCredentials(nil),
		"grpc.WithUnaryInterceptor":                             grpc.WithUnaryInterceptor(unaryAsIs),
		"grpc.WithStreamInterceptor":                            grpc.WithStreamInterceptor(streamAsIs),
		"grpc.WithTransportCredentials":                         grpc.WithTransportCredentials(insecure.NewCredentials()),
		"grpc.WithTransportCredentials is refused: connections": grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{})),
		"credentials.Bundle":                                    grpc.WithCredentialsBundle(google.NewComputeEngineCredentials()),
		"grpc.WithAuthority":                                    grpc.WithAuthority("a"),
		"grpc.WithResolvers":                                    grpc.WithResolvers(manual.NewBuilderWithScheme("m")),
		"grpc.WithDisableServiceConfig":                         grpc.WithDisableServiceConfig(),
		"grpc.WithDefaultServiceConfig":                         grpc.WithDefaultServiceConfig(`{}`),
		"grpc.WithDisableRetry":                                 grpc.WithDisableRetry(),
		"grpc.WithMaxCallAttempts":                              grpc.WithMaxCallAttempts(limit),
		"grpc.WithDisableHealthCheck":                           grpc.WithDisableHealthCheck(),
		"grpc.WithBlock":                                        grpc.WithBlock(),                  //nolint:staticcheck // That is the point.
		"grpc.WithReturnConnectionError":                        grpc.WithReturnConnectionError(),  //nolint:staticcheck // That is the point.
		"grpc.WithTimeout":                                      grpc.WithTimeout(time.Second),     //nolint:staticcheck // That is the point.
		"grpc.FailOnNonTempDialError":                           grpc.FailOnNonTempDialError(true), //nolint:staticcheck // That is the point.
		"grpc.MaxCallRecvMsgSize":                               grpc.WithDefaultCallOptions(grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(limit)),
		"upstreams.NAME.max_receive_bytes":                      grpc.WithMaxMsgSize(limit), //nolint:staticcheck // That is the point.
		"grpc.WithTransportCredentials is refused:":             grpc.WithInsecure(),        //nolint:staticcheck // That is the point.
	} {
		if err := CheckDialOption(option); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type statsAsIs struct{ stats.Handler }

type securePerRPC struct{ credentials.PerRPCCredentials }

func (securePerRPC) RequireTransportSecurity() bool { return true }

func TestCheckDialOptionAllows(t *testing.T) {
	t.Parallel()

	dial := func(context.Context, string) (net.Conn, error) { return nil, net.ErrClosed }

	for name, option := range map[string]grpc.DialOption{
		"chain":        grpc.WithChainUnaryInterceptor(unaryAsIs, unaryAsIs),
		"chain_stream": grpc.WithChainStreamInterceptor(streamAsIs),
		"stats":        grpc.WithStatsHandler(statsAsIs{}),
		"per_rpc":      grpc.WithPerRPCCredentials(securePerRPC{}),
		"dialer":       grpc.WithContextDialer(dial),
		"no_proxy":     grpc.WithNoProxy(),
		"call_options": grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name), grpc.MaxCallSendMsgSize(1)),
		"user_agent":   grpc.WithUserAgent("shop"),
		"keepalive":    grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute}),
		"backoff":      grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig}),
		"idle":         grpc.WithIdleTimeout(time.Minute),
		"windows":      grpc.WithInitialWindowSize(1 << 20),
		"local_dns":    grpc.WithLocalDNSResolution(),
	} {
		if err := CheckDialOption(option); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A field that gRPC renames is noticed here, and not by an option that passes.
func TestFieldsOfDialOptionsAreThere(t *testing.T) {
	t.Parallel()

	conn, err := probedConn()
	if err != nil {
		t.Fatal(err)
	}

	for _, field := range ownDialFields() {
		if f := dialField(conn, field.path); !f.IsValid() || f.Kind() != reflect.Slice && !f.Comparable() {
			t.Errorf("%v cannot be compared", field.path)
		}
	}

	for _, field := range listFields() {
		if dialField(conn, field.path).Kind() != reflect.Slice {
			t.Errorf("%v is no list", field.path)
		}
	}
}
