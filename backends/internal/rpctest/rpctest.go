// Package rpctest serves a service in memory, for its tests: by the server of package rpcserver, so that callers and rules are
// checked as they are for others.
package rpctest

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/rpcserver"
)

const (
	bufferBytes = 1 << 16
	stopBound   = time.Second
)

// Serve serves what register puts on a server until the test ends, and returns a connection to it.
func Serve(tb testing.TB, register func(grpc.ServiceRegistrar)) *grpc.ClientConn {
	tb.Helper()

	server := rpcserver.New(slog.New(slog.DiscardHandler), register)
	listener := bufconn.Listen(bufferBytes)
	served := make(chan error, 1)

	go func() { served <- server.Serve(listener) }()

	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() {
		_ = conn.Close()

		server.Stop(stopBound)

		if err := <-served; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})

	return conn
}

// As is the context of a call by somebody, as the gateway makes it.
func As(tb testing.TB, subject string, scopes ...string) context.Context {
	tb.Helper()

	return caller.Outgoing(tb.Context(), caller.Caller{Subject: subject, Scopes: scopes})
}
