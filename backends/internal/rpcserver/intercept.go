package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	"github.com/portico-gateway/portico/backends/internal/validate"
)

// errStopping is why the context of a stream ends when the server stops.
var errStopping = errors.New("the server is stopping")

// infrastructure reports whether a method is of health or reflection. Their statuses are made for clients and stay as they are.
func infrastructure(method string) bool {
	return strings.HasPrefix(method, "/grpc.")
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if infrastructure(info.FullMethod) {
		return handler(ctx, req)
	}

	var (
		start = time.Now()
		resp  any
	)

	err := s.protect(ctx, info.FullMethod, func() (err error) {
		if err := caller.From(ctx).Authenticated(); err != nil {
			return err
		}

		if err := valid(req); err != nil {
			return err
		}

		resp, err = handler(ctx, req)

		return err
	})
	if err := s.finish(ctx, info.FullMethod, start, err); err != nil {
		return nil, err
	}

	return resp, nil
}

// stream also ties what the server streams to the life of the server: the context ends when the server begins to stop, so that a
// watch without end does not hold up a graceful stop. What only the client streams has one answer and may finish as a unary call
// may. Health watches are left alone: they are to hear NOT_SERVING, and clients end them. So is reflection, which waits for its
// client and for no context.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if infrastructure(info.FullMethod) {
		return handler(srv, stream)
	}

	start := time.Now()

	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)

	if info.IsServerStream {
		detach := context.AfterFunc(s.stopping, func() { cancel(errStopping) })
		defer detach()
	}

	err := s.protect(ctx, info.FullMethod, func() error {
		if err := caller.From(ctx).Authenticated(); err != nil {
			return err
		}

		return handler(srv, &boundStream{ServerStream: stream, ctx: ctx})
	})
	if err != nil && errors.Is(context.Cause(ctx), errStopping) {
		err = fault.Unavailable(err, "the server is stopping")
	}

	// Of the two contexts, the client's ends first, and with it the wait for a message.
	return s.finish(stream.Context(), info.FullMethod, start, err)
}

// valid checks the rules of a request.
func valid(req any) error {
	m, ok := req.(proto.Message)
	if !ok {
		return fmt.Errorf("a request that is no message: %T", req)
	}

	return validate.Request(m)
}

// boundStream is a stream with a context of ours, which checks what it receives.
type boundStream struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // grpc.ServerStream hands out its context through a method.
}

// Context implements grpc.ServerStream.
func (s *boundStream) Context() context.Context { return s.ctx }

// RecvMsg implements grpc.ServerStream.
func (s *boundStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err //nolint:wrapcheck // Handlers compare it with io.EOF.
	}

	return valid(m)
}

// protect makes a panic an error, which the client sees as any other internal error.
func (s *Server) protect(ctx context.Context, method string, handle func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			s.logger.ErrorContext(ctx, "panic in handler",
				"method", method, "request_id", caller.From(ctx).RequestID,
				"panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in %s", method)
		}
	}()

	return handle()
}

// finish maps the error of a handler to what the client gets, and writes the log: a line for every call at debug, and one for every
// failure that is ours.
func (s *Server) finish(ctx context.Context, method string, start time.Time, err error) error {
	if sqlstore.IsFull(err) {
		err = fault.ResourceExhausted(fmt.Errorf("the disk is full: %w", err), "the storage is full")
	}

	st := fault.Status(err)
	// A database or a stream does not always say so when it fails because the call is over.
	if st.Code() == codes.Internal && ctx.Err() != nil {
		st = fault.Status(ctx.Err())
	}

	who := caller.From(ctx)
	attrs := []slog.Attr{
		slog.String("method", method),
		slog.String("code", st.Code().String()),
		slog.String("request_id", who.RequestID),
	}

	switch st.Code() {
	case codes.Internal, codes.ResourceExhausted:
		s.logger.LogAttrs(ctx, slog.LevelError, "call failed", append(attrs, slog.Any("error", err))...)
	case codes.Unavailable:
		s.logger.LogAttrs(ctx, slog.LevelWarn, "call failed", append(attrs, slog.Any("error", err))...)
	default:
	}

	s.logger.LogAttrs(ctx, slog.LevelDebug, "call", append(attrs,
		slog.String("subject", who.Subject), slog.Duration("duration", time.Since(start)))...)

	return st.Err()
}
