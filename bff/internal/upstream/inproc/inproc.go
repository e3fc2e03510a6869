// Package inproc is the channel to services that are implemented inside the gateway. Calls on it behave like calls to a backend,
// with deadlines, cancellation, metadata, interceptors and streams, but without a socket and without encoding. The reply of a unary
// method is not even copied.
//
// The channel itself is github.com/fullstorydev/grpchan; this package recovers from panics, passes on the request's record and
// makes every error a status.
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
	"github.com/portico-gateway/portico/bff/internal/upstream/leg/scope"
)

// Channel serves and calls in-process services. Register everything before the first call; calls are safe for concurrent use.
type Channel struct {
	// ClientConnInterface calls the services.
	grpc.ClientConnInterface

	services *inprocgrpc.Channel
}

// New returns a channel without services. The interceptors run on the calling side, as those of an upstream connection do.
func New(unary grpc.UnaryClientInterceptor, stream grpc.StreamClientInterceptor) *Channel {
	services := new(inprocgrpc.Channel).WithCloner(messages{}).
		WithServerUnaryInterceptor(serveUnary).WithServerStreamInterceptor(serveStream)

	return &Channel{ClientConnInterface: grpchan.InterceptClientConn(services, unary, stream), services: services}
}

// RegisterService implements grpc.ServiceRegistrar.
func (c *Channel) RegisterService(desc *grpc.ServiceDesc, impl any) {
	c.services.RegisterService(desc, impl)
}

// Serves reports whether a service of that name is registered.
func (c *Channel) Serves(service string) bool {
	_, ok := c.services.GetServiceInfo()[service]
	return ok
}

func serveUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer finish(info.FullMethod, &err)

	ctx, run := scope.Open(withRecord(ctx), false)
	defer run.Close()

	resp, err = handler(ctx, req)
	if message, ok := resp.(proto.Message); ok && err == nil && message.ProtoReflect().IsValid() {
		resp = reply{message}
	}

	return resp, err
}

func serveStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer finish(info.FullMethod, &err)

	ctx, run := scope.Open(withRecord(ss.Context()), true)
	defer run.Close()

	return handler(srv, recordStream{ServerStream: ss, ctx: ctx})
}

// withRecord passes on the record of the request, which the channel would drop with all other values of the caller's context, and
// the values of an embedding program's middleware, such as the span of a trace.
func withRecord(ctx context.Context) context.Context {
	rec := reqinfo.From(inprocgrpc.ClientContext(ctx))
	ctx = reqinfo.NewContext(ctx, rec)

	if rec.Values != nil {
		ctx = valued{ctx, rec.Values}
	}

	return ctx
}

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
