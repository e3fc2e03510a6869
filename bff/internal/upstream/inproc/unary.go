package inproc

import (
	"context"
	"errors"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tracing"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// method is a unary method of an implementation.
type method struct {
	impl   any
	handle grpc.MethodHandler
}

// call is a call of a unary method. For the implementation, which runs on a goroutine of its own, it is the context and the stream
// of gRPC, which takes metadata. The caller returns when its context ends, even if the implementation does not.
type call struct {
	context.Context //nolint:containedctx // It is a context itself. It is that of the caller, whose values are hidden.

	method string
	record *reqinfo.Record
	// values are others that the implementation sees, and program those of an embedding program's middleware, which may be nil.
	values  context.Context //nolint:containedctx // It has the values of a context.
	program interface{ Value(key any) any }

	scope *scope.Scope

	// done is closed when the implementation has returned the reply or the error.
	done  chan struct{}
	reply any
	err   error

	mu              sync.Mutex
	header, trailer metadata.MD
	// headerSent reports that nothing can be added to the header, and returned that nothing can be added at all.
	headerSent, returned bool
}

var (
	errExited  = status.Error(codes.Internal, "the method has ended its goroutine without returning")
	errNothing = status.Error(codes.Internal, "the method has returned neither a reply nor an error")
	errSent    = errors.New("the metadata has been sent")
)

// peerContext has what implementations see as the other side.
//
//nolint:gochecknoglobals // Constants.
var (
	inProcess   = peer.Peer{Addr: address{}, AuthInfo: address{}}
	peerContext = peer.NewContext(context.Background(), &inProcess)
)

type address struct{}

func (address) Network() string { return "inproc" }

func (address) String() string { return "0" }

func (address) AuthType() string { return "inproc" }

func (c *Channel) invoke(ctx context.Context, name string, req, reply any, opts []grpc.CallOption) error {
	m, ok := c.unary[name]
	if !ok {
		return status.Errorf(codes.Unimplemented, "method %s is not implemented", strings.TrimPrefix(name, "/"))
	}

	// When this returns, the implementation may still be running, and must not find a context that goes on.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	rec := reqinfo.From(ctx)
	x := &call{Context: ctx, method: name, record: rec, program: rec.Values, done: make(chan struct{}), err: errExited}
	x.values = grpc.NewContextWithServerTransportStream(metadata.NewIncomingContext(peerContext, c.metadata(rec)), x)
	x.values = tracing.Carry(x.values, ctx)

	x.scope = scope.New(false)

	go x.serve(m, req)

	select {
	case <-x.done:
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}

	x.deliverMetadata(opts)

	if x.err != nil {
		return x.err
	}

	return deliver(reply, x.reply)
}

// serve calls the implementation.
func (x *call) serve(m method, req any) {
	defer close(x.done)

	x.reply, x.err = x.handle(m, req)
}

func (x *call) handle(m method, req any) (reply any, err error) {
	defer finish(x.method, &err)
	defer x.scope.Close()

	reply, err = m.handle(m.impl, x, func(in any) error { return messages{}.Copy(in, req) }, nil)

	x.mu.Lock()
	defer x.mu.Unlock()

	x.returned = true

	return reply, err
}

// deliverMetadata hands header and trailer to the caller, as the options say.
func (x *call) deliverMetadata(opts []grpc.CallOption) {
	x.mu.Lock()
	defer x.mu.Unlock()

	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			*opt.HeaderAddr = x.header
		case grpc.TrailerCallOption:
			*opt.TrailerAddr = x.trailer
		case grpc.PeerCallOption:
			*opt.PeerAddr = inProcess
		}
	}
}

// Value returns what the implementation may see.
func (x *call) Value(key any) any {
	if reqinfo.IsKey(key) {
		return x.record
	}

	if value := x.scope.Value(key); value != nil {
		return value
	}

	if value := x.values.Value(key); value != nil || x.program == nil {
		return value
	}

	return x.program.Value(key)
}

// AfterFunc lets contexts that come of this one end with it without a goroutine each, which package context would start because it
// does not find the caller's context among the values.
func (x *call) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(x.Context, f) }

// Method implements grpc.ServerTransportStream, as the methods below do.
func (x *call) Method() string { return x.method }

// SetHeader adds to the header.
func (x *call) SetHeader(md metadata.MD) error {
	x.mu.Lock()
	defer x.mu.Unlock()

	if x.headerSent || x.returned {
		return errSent
	}

	x.header = metadata.Join(x.header, md)

	return nil
}

// SendHeader adds to the header, to which nothing can be added afterwards.
func (x *call) SendHeader(md metadata.MD) error {
	err := x.SetHeader(md)

	x.mu.Lock()
	defer x.mu.Unlock()

	x.headerSent = true

	return err
}

// SetTrailer adds to the trailer.
func (x *call) SetTrailer(md metadata.MD) error {
	x.mu.Lock()
	defer x.mu.Unlock()

	if x.returned {
		return errSent
	}

	x.trailer = metadata.Join(x.trailer, md)

	return nil
}
