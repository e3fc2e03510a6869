package gateway

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// lazyStream opens a stream to the backend only when its first request is complete, or when there is none. One goroutine may
// send while another receives, as on any stream.
type lazyStream struct {
	ctx      context.Context //nolint:containedctx // It is the stream's, which gRPC keeps in the stream.
	exchange *exchange
	// start opens the stream, once.
	start  func() (grpc.ClientStream, error)
	opened chan struct{}
}

func newLazyStream(ctx context.Context, x *exchange, open func() (grpc.ClientStream, error)) *lazyStream {
	s := &lazyStream{ctx: ctx, exchange: x, opened: make(chan struct{})}
	s.start = sync.OnceValues(func() (grpc.ClientStream, error) {
		defer close(s.opened)
		return open()
	})

	return s
}

func (s *lazyStream) Context() context.Context { return s.ctx }

// wait returns the stream when the sender has opened it.
func (s *lazyStream) wait() (grpc.ClientStream, error) {
	select {
	case <-s.opened:
		return s.start()
	case <-s.ctx.Done():
		return nil, status.FromContextError(s.ctx.Err()).Err()
	}
}

func (s *lazyStream) SendMsg(m any) error {
	// The messages of a stream from the client are complete already.
	if x := s.exchange; !x.route.ClientStream || x.customMarshaler {
		if err := x.complete(s.ctx, m); err != nil {
			return err
		}
	}

	inner, err := s.start()
	if err != nil {
		return err
	}

	return inner.SendMsg(m)
}

// CloseSend ends the requests, unless the client's stream was aborted, which generated code does not always notice.
func (s *lazyStream) CloseSend() error {
	if s.exchange.failure() != nil {
		return status.Error(codes.Canceled, "the request broke off")
	}

	inner, err := s.start()
	if err != nil {
		return err
	}

	return inner.CloseSend()
}

func (s *lazyStream) Header() (metadata.MD, error) {
	inner, err := s.wait()
	if err != nil {
		return nil, err
	}

	md, err := inner.Header()
	if err == nil {
		s.exchange.headers(md)
	}

	return presentable(md), err
}

func (s *lazyStream) RecvMsg(m any) error {
	inner, err := s.wait()
	if err != nil {
		return err
	}

	err = inner.RecvMsg(m)
	if err == io.EOF && s.exchange.failure() != nil { //nolint:errorlint // A stream returns it bare.
		// The backend has replied to an incomplete request.
		return status.Error(codes.Canceled, "the request broke off")
	}

	return err
}

func (s *lazyStream) Trailer() metadata.MD {
	select {
	case <-s.opened:
		if inner, err := s.start(); err == nil {
			return presentable(inner.Trailer())
		}
	default:
	}

	return nil
}
