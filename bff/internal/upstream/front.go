package upstream

import (
	"context"

	"google.golang.org/grpc"
)

// newFront returns the connection of a pool to a backend, over the one that pools share. It has what the backend and its connection
// do not depend on: the interceptors of the pool, and the metadata. The caller closes it.
func newFront(u *upstream, md Metadata, deps Deps) (*grpc.ClientConn, error) {
	invoke := func(
		ctx context.Context, rpc string, req, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption,
	) error {
		outgoing, err := md.Outgoing(ctx)
		if err != nil {
			return err
		}

		return u.conn.Invoke(outgoing, rpc, req, reply, opts...)
	}

	open := func(
		ctx context.Context, desc *grpc.StreamDesc, _ *grpc.ClientConn, rpc string, opts ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		outgoing, err := md.Outgoing(ctx)
		if err != nil {
			return nil, err
		}

		return u.conn.NewStream(outgoing, desc, rpc, opts...)
	}

	return NewStub(func(
		ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, _ grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		if deps.Unary == nil {
			return invoke(ctx, rpc, req, reply, cc, opts...)
		}

		return deps.Unary(ctx, rpc, req, reply, cc, invoke, opts...)
	}, func(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, rpc string, _ grpc.Streamer, opts ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		if deps.Stream == nil {
			return open(ctx, desc, cc, rpc, opts...)
		}

		return deps.Stream(ctx, desc, cc, rpc, open, opts...)
	})
}
