// Package inproc is the channel to services that are implemented inside the gateway. Calls on it behave as calls to a backend do:
// with deadlines, cancellation, metadata, interceptors and streams, but without a socket and without encoding. What a unary method
// answers with is not even copied.
//
// The channel itself is github.com/fullstorydev/grpchan; this package contains panics, keeps the request's record across the call
// and makes every error a status.
package inproc

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/fullstorydev/grpchan"
	"github.com/fullstorydev/grpchan/inprocgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Channel serves and calls in-process services. Register everything before the first call; calls are safe for concurrent use.
type Channel struct {
	inner  *inprocgrpc.Channel
	client grpc.ClientConnInterface
}

// New returns a channel without services. The interceptors run on the calling side, as those of an upstream connection do.
func New(unary grpc.UnaryClientInterceptor, stream grpc.StreamClientInterceptor) *Channel {
	inner := new(inprocgrpc.Channel).WithCloner(messages{}).
		WithServerUnaryInterceptor(serveUnary).WithServerStreamInterceptor(serveStream)

	return &Channel{inner: inner, client: grpchan.InterceptClientConn(inner, unary, stream)}
}

// RegisterService implements grpc.ServiceRegistrar.
func (c *Channel) RegisterService(desc *grpc.ServiceDesc, impl any) {
	c.inner.RegisterService(desc, impl)
}

// Serves reports whether a service of that name is registered.
func (c *Channel) Serves(service string) bool {
	_, ok := c.inner.GetServiceInfo()[service]

	return ok
}

// Invoke implements grpc.ClientConnInterface.
func (c *Channel) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.client.Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (c *Channel) NewStream(
	ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return c.client.NewStream(ctx, desc, method, opts...)
}

func serveUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer finish(info.FullMethod, &err)

	resp, err = handler(withRecord(ctx), req)
	if message, ok := resp.(proto.Message); ok && err == nil && message.ProtoReflect().IsValid() {
		resp = answer{message}
	}

	return resp, err
}

func serveStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer finish(info.FullMethod, &err)

	return handler(srv, recordStream{ServerStream: ss, ctx: withRecord(ss.Context())})
}

// withRecord carries the record of the request, which the channel would drop with all other values of the caller's context, and
// what middleware of an embedding program has put there, such as the span of a trace. The others are about the call to the
// channel.
func withRecord(ctx context.Context) context.Context {
	rec := reqinfo.From(inprocgrpc.ClientContext(ctx))
	ctx = reqinfo.NewContext(ctx, rec)

	if rec.Values != nil {
		ctx = valued{ctx, rec.Values}
	}

	return ctx
}

// valued is a context with further values.
type valued struct {
	context.Context //nolint:containedctx // It is a context itself.

	values interface{ Value(key any) any }
}

func (v valued) Value(key any) any {
	if value := v.Context.Value(key); value != nil {
		return value
	}

	return v.values.Value(key)
}

type recordStream struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // It replaces the context of the stream, which is where gRPC keeps it.
}

func (s recordStream) Context() context.Context { return s.ctx }

// finish turns a panic into an error and any error into a status that wraps it, so that its cause reaches the log.
func finish(method string, err *error) {
	if v := recover(); v != nil {
		*err = problem.WithCause(status.New(codes.Internal, "panic"), fmt.Errorf("%s panicked: %v\n%s", method, v, debug.Stack()))

		return
	}

	if *err == nil {
		return
	}

	st, ok := problem.Status(*err)
	if !ok {
		st = status.FromContextError(*err)
	}

	*err = problem.WithCause(st, *err)
}
