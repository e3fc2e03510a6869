package upstream

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/breaker"
)

// interceptors are, from the outside in:
//
//	deps' own → metadata → measure → breaker → balance and send
func (u *upstream) interceptors(deps Deps) []grpc.DialOption {
	unary := []grpc.UnaryClientInterceptor{u.unary(deps.Observer)}
	stream := []grpc.StreamClientInterceptor{u.stream(deps.Observer)}

	if deps.Unary != nil {
		unary = append([]grpc.UnaryClientInterceptor{deps.Unary}, unary...)
	}

	if deps.Stream != nil {
		stream = append([]grpc.StreamClientInterceptor{deps.Stream}, stream...)
	}

	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(unary...), grpc.WithChainStreamInterceptor(stream...)}
}

func (u *upstream) unary(observer Observer) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		outgoing, err := u.metadata.Outgoing(ctx)
		if err != nil {
			return err
		}

		call, err := u.begin(ctx, observer, method)
		if err != nil {
			return err
		}

		// Also on a panic: a probe without a verdict would keep the breaker half-open for good.
		err = breaker.ErrNoVerdict
		defer func() { call.end(err) }()

		err = invoke(outgoing, method, req, reply, cc, opts...)

		return err
	}
}

func (u *upstream) stream(observer Observer) grpc.StreamClientInterceptor {
	return func(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
		open grpc.Streamer, opts ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		outgoing, err := u.metadata.Outgoing(ctx)
		if err != nil {
			return nil, err
		}

		call, err := u.begin(ctx, observer, method)
		if err != nil {
			return nil, err
		}

		inner, err := open(outgoing, desc, cc, method, opts...)
		if err != nil {
			call.end(err)

			return nil, err
		}

		time.AfterFunc(maxSilence, func() { call.judge(breaker.ErrNoVerdict) })
		// A caller that stops reading ends its context, as gRPC demands.
		context.AfterFunc(ctx, func() { call.end(status.FromContextError(ctx.Err()).Err()) })

		return &observedStream{ClientStream: inner, call: call}, nil
	}
}

// maxSilence is how long a stream may hold the breaker's probe without having answered anything.
const maxSilence = 5 * time.Second

// observedStream tells the call when the backend answers and when the stream ends.
type observedStream struct {
	grpc.ClientStream

	call *call
}

func (s *observedStream) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	if err == nil {
		s.call.judge(nil)
	}

	return md, err //nolint:wrapcheck // A stream's errors are statuses.
}

func (s *observedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)

	switch {
	case err == nil:
		s.call.judge(nil)
	case errors.Is(err, io.EOF):
		s.call.end(nil)
	default:
		s.call.end(err)
	}

	return err //nolint:wrapcheck // Callers compare io.EOF and read statuses.
}
