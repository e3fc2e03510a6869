package gateway

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// deferredStream opens a stream to the backend only when its request is complete.
type deferredStream struct {
	grpc.ClientStream // Nil until the request.

	ctx      context.Context //nolint:containedctx // It is the stream's, which gRPC keeps in the stream.
	exchange *exchange
	open     func() (grpc.ClientStream, error)
}

func (s *deferredStream) Context() context.Context { return s.ctx }

func (s *deferredStream) SendMsg(m any) error {
	if s.ClientStream == nil {
		if err := s.exchange.complete(s.ctx, m); err != nil {
			return err
		}

		inner, err := s.open()
		if err != nil {
			return err
		}

		s.ClientStream = inner
	}

	return s.ClientStream.SendMsg(m) //nolint:wrapcheck // A stream's errors are statuses.
}

// What generated code does before it sends the request; it cannot be, and must not be a nil dereference if it is.

func (s *deferredStream) Header() (metadata.MD, error) {
	if s.ClientStream == nil {
		return nil, errUnsent
	}

	return s.ClientStream.Header() //nolint:wrapcheck // A stream's errors are statuses.
}

func (s *deferredStream) RecvMsg(m any) error {
	if s.ClientStream == nil {
		return errUnsent
	}

	return s.ClientStream.RecvMsg(m) //nolint:wrapcheck // A stream's errors are statuses.
}

func (s *deferredStream) CloseSend() error {
	if s.ClientStream == nil {
		return errUnsent
	}

	return s.ClientStream.CloseSend() //nolint:wrapcheck // A stream's errors are statuses.
}

func (s *deferredStream) Trailer() metadata.MD {
	if s.ClientStream == nil {
		return nil
	}

	return s.ClientStream.Trailer()
}

var errUnsent = fmt.Errorf("stream used before its request: %w", status.Error(codes.Internal, "no request"))
