package leg

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Stream is an interceptor for Conn. Each message to the backend is checked as the request of a unary call is. The stream is opened
// once the first one has been, if the backend gets only one or the policy depends on what is in it; at once otherwise.
func (g *Guard) Stream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
	open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	c := g.of(method)
	if c == nil {
		return open(ctx, desc, cc, method, opts...)
	}

	ctx, release := within(ctx, c.timeout)
	ctx, cancel := context.WithCancelCause(ctx)

	s := &stream{ctx: ctx, callee: c, single: !desc.ServerStreams, opened: make(chan struct{})}
	s.end = func(cause error) {
		cancel(cause)
		release()
	}
	s.start = sync.OnceValues(func() (grpc.ClientStream, error) {
		defer close(s.opened)

		if c.limits != nil {
			if err := c.limits(ctx); err != nil {
				return nil, refusal(err)
			}
		}

		return open(ctx, desc, cc, method, opts...)
	})

	if !desc.ClientStreams || c.needsRequest() {
		return s, nil
	}

	if _, err := s.open(nil); err != nil {
		return nil, err
	}

	return s, nil
}

// stream is one of a composite. One goroutine may send while another receives, as on any stream.
type stream struct {
	ctx    context.Context //nolint:containedctx // It is the stream's, which gRPC keeps in the stream.
	callee *callee
	// single is true if the backend replies once, with which the call ends.
	single bool
	// start opens the stream, once.
	start  func() (grpc.ClientStream, error)
	opened chan struct{}
	// end frees what the stream holds, and aborts it if it has not ended. The cause is what one that was not opened ended with.
	end func(cause error)
}

// open checks a message, and returns the stream, which it opens if it is not open. A message that is refused ends the stream.
func (s *stream) open(m any) (grpc.ClientStream, error) {
	if err := refusal(s.callee.check(s.ctx, m)); err != nil {
		s.end(err)
		return nil, err
	}

	inner, err := s.start()
	if err != nil {
		s.end(err)
	}

	return inner, err
}

// wait returns the stream when the sender has opened it.
func (s *stream) wait() (grpc.ClientStream, error) {
	select {
	case <-s.opened:
		return s.start()
	case <-s.ctx.Done():
		if cause := context.Cause(s.ctx); cause != s.ctx.Err() { //nolint:errorlint // The same value, if there is no cause.
			return nil, cause
		}

		return nil, status.FromContextError(s.ctx.Err()).Err()
	}
}

// Context implements grpc.ClientStream.
func (s *stream) Context() context.Context { return s.ctx }

// SendMsg implements grpc.ClientStream.
func (s *stream) SendMsg(m any) error {
	inner, err := s.open(m)
	if err != nil {
		return err
	}

	return inner.SendMsg(m)
}

// CloseSend implements grpc.ClientStream. A stream without a message is checked as one with no request.
func (s *stream) CloseSend() error {
	select {
	case <-s.opened:
	default:
		if _, err := s.open(nil); err != nil {
			return err
		}
	}

	inner, err := s.start()
	if err != nil {
		return err
	}

	return inner.CloseSend()
}

// Header implements grpc.ClientStream.
func (s *stream) Header() (metadata.MD, error) {
	inner, err := s.wait()
	if err != nil {
		return nil, err
	}

	return inner.Header()
}

// RecvMsg implements grpc.ClientStream.
func (s *stream) RecvMsg(m any) error {
	inner, err := s.wait()
	if err != nil {
		return err
	}

	err = inner.RecvMsg(m)
	if err != nil || s.single {
		s.end(err)
	}

	return err
}

// Trailer implements grpc.ClientStream.
func (s *stream) Trailer() metadata.MD {
	select {
	case <-s.opened:
		if inner, err := s.start(); err == nil {
			return inner.Trailer()
		}
	default:
	}

	return nil
}
