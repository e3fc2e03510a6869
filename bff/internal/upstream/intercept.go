package upstream

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// interceptors are, from the outside in, for a call with a single reply:
//
//	pool's own → metadata → the program's → reserve → measure → concurrency → breakers → hedge → retrier
//	→ (gRPC: retry, balance, send)
//
// For a stream there is neither hedge nor retrier. Layers outside of hedge and retrier see one call, however many attempts there
// are: its outcome is the one that the client gets, and it counts once in metrics, in the limit and for the breakers. A layer that
// refuses a call returns the permits of the layers outside of it: see admit.
//
// The first two are those of a pool's own connection: see newFront. The program's are those among the dial options of an embedding
// program, which are returned as well.
func (u *upstream) interceptors(observer Observer, program []grpc.DialOption) []grpc.DialOption {
	own := []grpc.DialOption{grpc.WithChainUnaryInterceptor(u.unary(observer)), grpc.WithChainStreamInterceptor(u.stream(observer))}
	if len(program) == 0 {
		return own
	}

	return slices.Concat([]grpc.DialOption{
		grpc.WithChainUnaryInterceptor(passthrough.Decoded), grpc.WithChainStreamInterceptor(programStream),
	}, program, own)
}

func (u *upstream) unary(observer Observer) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn,
		next grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		outgoing, cancel := reserve(ctx)
		defer cancel()

		method := u.methods[rpc]
		outgoing, span := u.startSpan(outgoing, rpc)

		call, err := u.begin(outgoing, observer, rpc, method, false)
		if err != nil {
			endSpan(span, err)
			return err
		}

		call.span = span

		// Even after a panic: a probe without a result would keep the breaker half-open for good.
		err = breaker.ErrNotCounted
		defer func() { call.end(err) }()

		opts, header := call.options(opts)
		call.request, call.conn, call.next = req, cc, next

		err = method.call(outgoing, call, reply, opts)
		err = u.explainSize(rpc, err,
			func(size int) bool { return size == encodedSize(req) }, func() bool { return *header != nil })

		return err
	}
}

func (u *upstream) stream(observer Observer) grpc.StreamClientInterceptor {
	return func(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, rpc string,
		open grpc.Streamer, opts ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		outgoing, cancel := reserve(ctx)

		method := u.methods[rpc]
		outgoing, span := u.startSpan(outgoing, rpc)

		call, err := u.begin(outgoing, observer, rpc, method, true)
		if err != nil {
			endSpan(span, err)
			cancel()

			return nil, err
		}

		call.span = span

		// There is no request yet that could have a key.
		if method.retries() && (call.isProbe || !method.repeatable(nil)) {
			opts = append(slices.Clip(opts), once())
		}

		outgoing = call.attempts.Count(outgoing)

		inner, err := open(outgoing, desc, cc, rpc, opts...)
		if err != nil {
			call.end(err)
			cancel()

			return nil, err
		}

		time.AfterFunc(maxSilence, func() { call.recordResult(breaker.ErrNotCounted) })
		// A caller that stops reading ends its context, as gRPC requires.
		context.AfterFunc(outgoing, func() { call.end(status.FromContextError(outgoing.Err()).Err()) })

		return &observedStream{ClientStream: inner, single: !desc.ServerStreams, call: call, upstream: u, cancel: cancel}, nil
	}
}

// maxSilence is how long a stream may hold the breaker's probe, and its permit, without a reply.
const maxSilence = 5 * time.Second

// observedStream reports to the call when the backend replies and when the stream ends.
type observedStream struct {
	grpc.ClientStream

	// single is true if the backend replies once, with which the call ends.
	single   bool
	sent     sentSizes
	call     *call
	upstream *upstream
	cancel   context.CancelFunc
}

// Header counts as a reply. If the call has failed before, both results are nil, and RecvMsg returns the error.
func (s *observedStream) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	if md != nil {
		s.call.recordResult(nil)
	}

	return md, err
}

func (s *observedStream) SendMsg(m any) error {
	s.sent.add(encodedSize(m))

	err := s.ClientStream.SendMsg(m)
	if err == nil {
		s.call.messages.sent.Add(1)
	}

	return err
}

func (s *observedStream) RecvMsg(m any) error {
	err := s.upstream.explainSize(s.call.rpc, s.ClientStream.RecvMsg(m), s.sent.has, s.replied)
	if err == nil {
		s.call.messages.received.Add(1)
	}

	switch {
	case err == nil && !s.single:
		s.call.recordResult(nil)
	case err == nil, errors.Is(err, io.EOF):
		s.call.end(nil)
		s.cancel()
	default:
		s.call.end(err)
		s.cancel()
	}

	return err
}

// replied reports whether the backend has sent a header. The stream must have ended; Header would wait otherwise.
func (s *observedStream) replied() bool {
	header, err := s.ClientStream.Header()
	return err == nil && header != nil
}

// reserve brings the deadline forward, if there is one, unless that has been done. The caller must call cancel when the call has
// ended.
func reserve(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || reqinfo.From(ctx).Reserved {
		return ctx, func() {}
	}

	return context.WithDeadline(ctx, deadline.Add(-reqinfo.Reserve(time.Until(deadline))))
}
