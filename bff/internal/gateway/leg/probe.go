package leg

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Probe is one run of a composite without backends: each of its calls is recorded, and gets an empty reply, or a stream of none. A
// record that has it as Values is that of such a run. It is safe for concurrent use.
type Probe struct {
	// Down is the RPC that fails. Empty: none does.
	Down string

	mu     sync.Mutex
	called []Call
}

// Call is a method that a composite has called.
type Call struct {
	Upstream string
	// RPC is the full method, "/user.v1.UserService/GetUser".
	RPC string
	// Requests are those with which it was called, maxRequests at most.
	Requests []proto.Message
}

// maxRequests is how many requests to one method are recorded.
const maxRequests = 32

// errDown is what a call to Probe.Down ends with.
var errDown = status.Error(codes.Unavailable, "not called")

// Value implements the interface of reqinfo.Record.Values. There are none.
func (*Probe) Value(any) any { return nil }

// Calls returns what was called, in order of the names, since composites make calls at the same time.
func (p *Probe) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()

	calls := make([]Call, 0, len(p.called))
	for _, c := range p.called {
		calls = append(calls, Call{Upstream: c.Upstream, RPC: c.RPC, Requests: slices.Clone(c.Requests)})
	}

	slices.SortFunc(calls, func(a, b Call) int { return strings.Compare(a.RPC+" "+a.Upstream, b.RPC+" "+b.Upstream) })

	return calls
}

func (p *Probe) call(upstream, rpc string, req any) error {
	p.mu.Lock()
	defer p.mu.Unlock()

	i := slices.IndexFunc(p.called, func(c Call) bool { return c.Upstream == upstream && c.RPC == rpc })
	if i < 0 {
		i = len(p.called)
		p.called = append(p.called, Call{Upstream: upstream, RPC: rpc})
	}

	if message, ok := req.(proto.Message); ok && len(p.called[i].Requests) < maxRequests {
		p.called[i].Requests = append(p.called[i].Requests, proto.Clone(message))
	}

	if rpc == p.Down {
		return errDown
	}

	return nil
}

// probing returns the probe that a call is part of. Nil: it is meant.
func probing(ctx context.Context) *Probe {
	p, _ := reqinfo.From(ctx).Values.(*Probe)

	return p
}

// ProbeUnary returns an interceptor for Conn that records calls to an upstream if they are part of a Probe, instead of making them.
func ProbeUnary(upstream string) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		if p := probing(ctx); p != nil {
			return p.call(upstream, method, req)
		}

		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

// ProbeStream is ProbeUnary for streams.
func ProbeStream(upstream string) grpc.StreamClientInterceptor {
	return func(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		p := probing(ctx)
		if p == nil {
			return open(ctx, desc, cc, method, opts...)
		}

		if err := p.call(upstream, method, nil); err != nil {
			return nil, err
		}

		send := func(m any) error { return p.call(upstream, method, m) }

		return &probedStream{ctx: ctx, single: !desc.ServerStreams, send: send}, nil
	}
}

// probedStream gets one empty reply, or none if it is a stream of replies.
type probedStream struct {
	ctx    context.Context //nolint:containedctx // It is the stream's, which gRPC keeps in the stream.
	single bool
	send   func(m any) error
}

func (s *probedStream) Context() context.Context     { return s.ctx }
func (s *probedStream) SendMsg(m any) error          { return s.send(m) }
func (s *probedStream) CloseSend() error             { return nil }
func (s *probedStream) Header() (metadata.MD, error) { return metadata.MD{}, nil }
func (s *probedStream) Trailer() metadata.MD         { return metadata.MD{} }

func (s *probedStream) RecvMsg(any) error {
	if s.single {
		return nil
	}

	return io.EOF
}
