// Package probe runs composites without backends, to see what they call. Each call is recorded and gets a reply that is made up
// from its type.
package probe

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

// Run is one run of a composite. A record that has it as Values is that of the request of the run. It is safe for concurrent use.
type Run struct {
	// Down is the RPC that fails. Empty: none does.
	Down string
	// Replies says what is in the replies, with Request, which the composite is called with, and Subject, which is its caller's.
	Replies Replies
	Request proto.Message
	Subject string

	mu     sync.Mutex
	made   int
	called []Call
}

// Call is a method that a composite has called.
type Call struct {
	Upstream string
	// RPC is the full method, "/user.v1.UserService/GetUser".
	RPC string
	// Requests are those with which it was called, maxRequests at most.
	Requests []proto.Message

	made int
}

const (
	// maxRequests is how many requests to one method are recorded.
	maxRequests = 32
	// maxReplies is how many replies of one method have content, so that a composite that reads on until there is no more comes to
	// an end.
	maxReplies = 100
	// maxCalls is how many calls a run may make.
	maxCalls = 1000
)

var (
	errDown         = status.Error(codes.Unavailable, "not called")
	errTooMany      = status.Error(codes.ResourceExhausted, "too many calls")
	errNotConnected = status.Error(codes.Unavailable, "this composite was made to see what it calls, and has no connections")
)

// Value implements the interface of reqinfo.Record.Values. There are none.
func (*Run) Value(any) any { return nil }

// Calls returns what was called, in order of the names, since composites make calls at the same time.
func (r *Run) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()

	calls := make([]Call, 0, len(r.called))
	for _, c := range r.called {
		calls = append(calls, Call{Upstream: c.Upstream, RPC: c.RPC, Requests: slices.Clone(c.Requests)})
	}

	slices.SortFunc(calls, func(a, b Call) int { return strings.Compare(a.RPC+" "+a.Upstream, b.RPC+" "+b.Upstream) })

	return calls
}

// call records a call, or a message of a stream. It reports what is in the reply.
func (r *Run) call(upstream, rpc string, req any) (Replies, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.made++; r.made > maxCalls {
		return Empty, errTooMany
	}

	i := slices.IndexFunc(r.called, func(c Call) bool { return c.Upstream == upstream && c.RPC == rpc })
	if i < 0 {
		i = len(r.called)
		r.called = append(r.called, Call{Upstream: upstream, RPC: rpc})
	}

	c := &r.called[i]

	if message, ok := req.(proto.Message); ok && len(c.Requests) < maxRequests {
		c.Requests = append(c.Requests, proto.Clone(message))
	}

	if rpc == r.Down {
		return Empty, errDown
	}

	if c.made++; c.made > maxReplies {
		return Empty, nil
	}

	return r.Replies, nil
}

// Conn is a connection to the upstream of that name for composites that are only run as a Run says. It makes no call.
type Conn string

// Invoke implements grpc.ClientConnInterface.
func (c Conn) Invoke(ctx context.Context, method string, req, reply any, _ ...grpc.CallOption) error {
	r, ok := reqinfo.From(ctx).Values.(*Run)
	if !ok {
		return errNotConnected
	}

	replies, err := r.call(string(c), method, req)
	if err == nil {
		replies.fill(reply, r, req)
	}

	return err
}

// NewStream implements grpc.ClientConnInterface.
func (c Conn) NewStream(
	ctx context.Context, desc *grpc.StreamDesc, method string, _ ...grpc.CallOption,
) (grpc.ClientStream, error) {
	r, ok := reqinfo.From(ctx).Values.(*Run)
	if !ok {
		return nil, errNotConnected
	}

	replies, err := r.call(string(c), method, nil)
	if err != nil {
		return nil, err
	}

	s := &stream{ctx: ctx, run: r, replies: replies, left: 1, send: func(m any) error {
		_, err := r.call(string(c), method, m)

		return err
	}}
	if desc.ServerStreams && replies == Empty {
		s.left = 0
	}

	return s, nil
}

// stream gets one reply. Instead of an empty one, a stream of replies gets none.
type stream struct {
	ctx     context.Context //nolint:containedctx // It is the stream's, which gRPC keeps in the stream.
	run     *Run
	replies Replies
	left    int
	send    func(m any) error
}

func (s *stream) Context() context.Context     { return s.ctx }
func (s *stream) SendMsg(m any) error          { return s.send(m) }
func (s *stream) CloseSend() error             { return nil }
func (s *stream) Header() (metadata.MD, error) { return metadata.MD{}, nil }
func (s *stream) Trailer() metadata.MD         { return metadata.MD{} }

func (s *stream) RecvMsg(m any) error {
	if s.left == 0 {
		return io.EOF
	}

	s.left--
	s.replies.fill(m, s.run, nil)

	return nil
}
