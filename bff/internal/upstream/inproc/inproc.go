// Package inproc is the channel to services that are implemented inside the gateway. Calls on it behave like calls to a backend,
// with deadlines, cancellation, metadata, interceptors and streams, but without a socket and without encoding. The reply of a unary
// method is not even copied.
//
// Streams are those of github.com/fullstorydev/grpchan. Unary calls, which are most, are made here: they need less than its channel
// does for them.
package inproc

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/fullstorydev/grpchan"
	"github.com/fullstorydev/grpchan/inprocgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tracing"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// Channel serves and calls in-process services. Register everything before the first call; calls are safe for concurrent use.
type Channel struct {
	// ClientConnInterface calls the services.
	grpc.ClientConnInterface

	streams *inprocgrpc.Channel
	// unary are the methods, by full name.
	unary    map[string]method
	services map[string]bool
	metadata func(*reqinfo.Record) metadata.MD
}

// Config is what a channel does around calls. All of it is optional.
type Config struct {
	// Unary and Stream run on the calling side, as those of an upstream connection do.
	Unary  grpc.UnaryClientInterceptor
	Stream grpc.StreamClientInterceptor
	// Metadata returns the metadata that implementations get, and nothing else of the caller's. It is not written to.
	Metadata func(*reqinfo.Record) metadata.MD
}

// New returns a channel without services.
func New(cfg Config) *Channel {
	c := &Channel{unary: map[string]method{}, services: map[string]bool{}, metadata: cfg.Metadata}
	if c.metadata == nil {
		c.metadata = func(*reqinfo.Record) metadata.MD { return nil }
	}

	c.streams = new(inprocgrpc.Channel).WithCloner(messages{}).WithServerStreamInterceptor(c.serveStream)
	c.ClientConnInterface = grpchan.InterceptClientConn(conn{c}, cfg.Unary, cfg.Stream)

	return c
}

// RegisterService implements grpc.ServiceRegistrar.
func (c *Channel) RegisterService(desc *grpc.ServiceDesc, impl any) {
	c.streams.RegisterService(desc, impl)
	c.services[desc.ServiceName] = true

	for _, m := range desc.Methods {
		c.unary["/"+desc.ServiceName+"/"+m.MethodName] = method{impl: impl, handle: m.Handler}
	}
}

// Serves reports whether a service of that name is registered.
func (c *Channel) Serves(service string) bool { return c.services[service] }

// conn makes the calls, without interceptors.
type conn struct{ *Channel }

// Invoke implements grpc.ClientConnInterface.
func (c conn) Invoke(ctx context.Context, method string, req, reply any, opts ...grpc.CallOption) error {
	return c.invoke(ctx, method, req, reply, opts)
}

// NewStream implements grpc.ClientConnInterface.
func (c conn) NewStream(
	ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return c.streams.NewStream(ctx, desc, method, opts...)
}

func (c *Channel) serveStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer finish(info.FullMethod, &err)

	client := inprocgrpc.ClientContext(ss.Context())
	rec := reqinfo.From(client)
	ctx := metadata.NewIncomingContext(tracing.Carry(reqinfo.NewContext(ss.Context(), rec), client), c.metadata(rec))

	ctx, run := scope.Open(valued{ctx, rec.Values}, true)
	defer run.Close()

	return handler(srv, recordStream{ServerStream: ss, ctx: ctx})
}

// valued has the values of an embedding program's middleware, such as the span of a trace.
type valued struct {
	context.Context //nolint:containedctx // It is a context itself.

	// values may be nil.
	values interface{ Value(key any) any }
}

func (v valued) Value(key any) any {
	if value := v.Context.Value(key); value != nil || v.values == nil {
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
