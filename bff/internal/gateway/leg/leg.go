// Package leg is how composites call backends: the calls that they make for a response, its legs, pass through layers of their own
// before they reach the connection to the upstream. From the outside in, Conn has:
//
//	Traced    a span of its own
//	Guard     the policy of the called method: access, condition, rules, limits
//	batch     identical calls of a request are made once, those for single items as one (package batch)
//	Timeout   that of the method
//	Shared    replies that several callers get, as the cache policy of the method says
//
// Retries, breakers and balancing are those of the connection. Package probe finds out which legs there are, without making them.
package leg

import (
	"context"
	"slices"

	"github.com/fullstorydev/grpchan"
	"google.golang.org/grpc"
)

// Conn returns a connection whose calls pass through the interceptors, the first of which is the outermost.
func Conn(
	conn grpc.ClientConnInterface, unary []grpc.UnaryClientInterceptor, stream []grpc.StreamClientInterceptor,
) grpc.ClientConnInterface {
	invoke := invokerOf(conn)

	// They are joined here and not by grpchan, which makes functions for each call.
	for _, interceptor := range slices.Backward(unary) {
		next := invoke
		invoke = func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption,
		) error {
			return interceptor(ctx, method, req, reply, cc, next, opts...)
		}
	}

	cc, _ := conn.(*grpc.ClientConn)

	for _, interceptor := range slices.Backward(stream) {
		conn = grpchan.InterceptClientConn(conn, nil, interceptor)
	}

	return &chain{ClientConnInterface: conn, cc: cc, invoke: invoke}
}

// chain is a connection whose unary calls pass through interceptors.
type chain struct {
	grpc.ClientConnInterface

	// cc is the connection below, if it is one to a server.
	cc     *grpc.ClientConn
	invoke grpc.UnaryInvoker
}

// Invoke implements grpc.ClientConnInterface.
func (c *chain) Invoke(ctx context.Context, method string, req, reply any, opts ...grpc.CallOption) error {
	return c.invoke(ctx, method, req, reply, c.cc, opts...)
}

func invokerOf(conn grpc.ClientConnInterface) grpc.UnaryInvoker {
	return func(ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		return conn.Invoke(ctx, method, req, reply, opts...)
	}
}
