package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// calls counts the calls that a backend receives, except health checks, by the gateway that makes them: its authority.
type calls struct {
	// byGateway has an *atomic.Int64 for each.
	byGateway sync.Map
}

func (c *calls) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	c.count(ctx, info.FullMethod)

	return handle(ctx, req)
}

func (c *calls) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	c.count(stream.Context(), info.FullMethod)

	return handle(srv, stream)
}

func (c *calls) count(ctx context.Context, method string) {
	if strings.HasPrefix(method, "/"+grpc_health_v1.Health_ServiceDesc.ServiceName+"/") {
		return
	}

	for _, gateway := range metadata.ValueFromIncomingContext(ctx, ":authority") {
		counter, ok := c.byGateway.Load(gateway)
		if !ok {
			counter, _ = c.byGateway.LoadOrStore(gateway, new(atomic.Int64))
		}

		counter.(*atomic.Int64).Add(1)
	}
}

// write answers with the counters, as Prometheus would read them.
func (c *calls) write(w http.ResponseWriter, _ *http.Request) {
	for gateway, counter := range c.byGateway.Range {
		_, _ = fmt.Fprintf(w, "calls_total{gateway=%q} %d\n", gateway, counter.(*atomic.Int64).Load())
	}
}
