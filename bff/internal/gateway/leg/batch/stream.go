package batch

import (
	"context"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// Stream is an interceptor by which goroutines that wait for a stream count as waiting: batches are not kept for them.
func Stream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, rpc string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	current := scope.From(ctx)
	if current == nil {
		return open(ctx, desc, cc, rpc, opts...)
	}

	current.Leave()
	defer current.Enter()

	// What was read before may be different after each message.
	callsOf(current).forget()

	stream, err := open(ctx, desc, cc, rpc, opts...)
	if err != nil {
		return nil, err
	}

	return counted{stream, current}, nil
}

// counted is a stream whose receiver does not count while it waits.
type counted struct {
	grpc.ClientStream

	scope *scope.Scope
}

// RecvMsg implements grpc.ClientStream.
func (c counted) RecvMsg(m any) error {
	c.scope.Leave()
	defer c.scope.Enter()
	defer callsOf(c.scope).forget()

	return c.ClientStream.RecvMsg(m)
}
