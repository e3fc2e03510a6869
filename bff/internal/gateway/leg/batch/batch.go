// Package batch saves calls among those that a composite makes for one request: identical ones are made once, and those for single
// items become one for many where the policy of the method says how (portico.v1.Batch).
//
// This is for methods without side effects (idempotency_level NO_SIDE_EFFECTS), and within one request: no caller gets what was
// fetched for another. A call, or a batch, is made by one of those who wait for it, and by another one if the context of that one
// ends. A batch is sent as soon as no goroutine of the composite can add to it, which package scope knows.
package batch

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// Unary returns the interceptor of the connection to an upstream. It is safe for concurrent use. Calls outside of a scope pass it
// unchanged.
//
// quiet is how long a batch waits for goroutines of which nobody knows what they do; zero is the default.
func Unary(quiet time.Duration) grpc.UnaryClientInterceptor {
	return (&layer{quiet: cmp.Or(quiet, defaultQuiet)}).unary
}

// layer is that of one connection.
type layer struct {
	quiet time.Duration
	// methods are those that were called, by RPC: a *method each.
	methods sync.Map
}

// method is what matters here of a method.
type method struct {
	// readOnly reports whether it has no side effects.
	readOnly bool
	// many is nil if there is no method for many items.
	many *policy.Batch
	// manyRPC, manyRequest and manyReply are the full name and the messages of that method.
	manyRPC                string
	manyRequest, manyReply protoreflect.MessageType
}

func (l *layer) unary(
	ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	current := scope.From(ctx)
	if current == nil {
		return next(ctx, rpc, req, reply, cc, opts...)
	}

	calls := callsOf(current)

	m := l.method(rpc)
	if !m.readOnly {
		// What was read before may be different now.
		calls.forget()
		defer calls.forget()
	}

	shared, ok := m.shared(ctx, req, reply, opts)
	if !ok {
		current.Leave()
		defer current.Enter()

		return next(ctx, rpc, req, reply, cc, opts...)
	}

	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}

	shared.next, shared.cc = next, cc

	raw, err := calls.do(ctx, key{layer: l, rpc: rpc, request: string(shared.encoded)}, &shared)
	if err != nil {
		return err
	}

	return passthrough.Deliver(rpc, raw, shared.reply, passthrough.In(opts))
}

// shared returns a call whose reply may be shared. It is not ok if the call is to be made as it is: because it has effects, or has
// options or metadata of its own.
func (m *method) shared(ctx context.Context, req, reply any, opts []grpc.CallOption) (l leg, ok bool) {
	request, isMessage := req.(proto.Message)
	response, hasReply := reply.(proto.Message)

	if !m.readOnly || !isMessage || !hasReply || slices.ContainsFunc(opts, isOfCaller) {
		return leg{}, false
	}

	if md, has := metadata.FromOutgoingContext(ctx); has && len(md) > 0 {
		return leg{}, false
	}

	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)

	return leg{method: m, req: request, reply: response, encoded: encoded}, err == nil
}

// isOfCaller reports whether an option asks for something that only one caller gets. Generated clients mark all of their calls as
// of a static method.
func isOfCaller(option grpc.CallOption) bool {
	_, generated := option.(grpc.StaticMethodCallOption)

	return !generated && !passthrough.Is(option)
}

// method finds out about a method. One that is not linked into the program may have side effects.
func (l *layer) method(rpc string) *method {
	if known, ok := l.methods.Load(rpc); ok {
		m, _ := known.(*method)

		return m
	}

	described, ok := schema.LinkedMethod(rpc)
	if !ok {
		return new(method)
	}

	m := &method{readOnly: schema.ReadOnly(described), many: policy.BatchOf(described)}

	if m.many != nil {
		m.manyRPC = schema.FullMethod(m.many.Method)
		m.manyRequest, m.manyReply = typeOf(m.many.Method.Input()), typeOf(m.many.Method.Output())
	}

	l.methods.Store(rpc, m)

	return m
}

// typeOf is the generated type of a message, if that is linked into the program.
func typeOf(message protoreflect.MessageDescriptor) protoreflect.MessageType {
	if generated, err := protoregistry.GlobalTypes.FindMessageByName(message.FullName()); err == nil {
		return generated
	}

	return dynamicpb.NewMessageType(message)
}
