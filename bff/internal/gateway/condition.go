package gateway

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/condition"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// A condition on the request message can be checked only once the generated handler has decoded it. So the route leaves its
// condition on the context, and the call to the backend takes it from there before anything is sent.

type conditionKey struct{}

// conditional leaves the condition for VerifyUnary and VerifyStream.
func conditional(c *condition.Condition) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), conditionKey{}, c)))
		})
	}
}

// checkCondition makes the demand of the route, if there is one, on the decoded request.
func checkCondition(ctx context.Context, request any) error {
	c, ok := ctx.Value(conditionKey{}).(*condition.Condition)
	if !ok {
		return nil
	}

	message, ok := request.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "%T is no message to check a condition on", request)
	}

	return auth.Allow(c, reqinfo.From(ctx), message)
}

// conditionalStream opens a stream to the backend only when its first message may be sent.
type conditionalStream struct {
	grpc.ClientStream // Nil until the first message.

	ctx  context.Context //nolint:containedctx // It is the stream's, which gRPC keeps in the stream.
	open func() (grpc.ClientStream, error)
}

func (s *conditionalStream) Context() context.Context { return s.ctx }

func (s *conditionalStream) SendMsg(m any) error {
	if s.ClientStream == nil {
		if err := checkCondition(s.ctx, m); err != nil {
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

func (s *conditionalStream) Header() (metadata.MD, error) {
	if s.ClientStream == nil {
		return nil, errUnsent
	}

	return s.ClientStream.Header() //nolint:wrapcheck // A stream's errors are statuses.
}

func (s *conditionalStream) RecvMsg(m any) error {
	if s.ClientStream == nil {
		return errUnsent
	}

	return s.ClientStream.RecvMsg(m) //nolint:wrapcheck // A stream's errors are statuses.
}

func (s *conditionalStream) CloseSend() error {
	if s.ClientStream == nil {
		return errUnsent
	}

	return s.ClientStream.CloseSend() //nolint:wrapcheck // A stream's errors are statuses.
}

func (s *conditionalStream) Trailer() metadata.MD {
	if s.ClientStream == nil {
		return nil
	}

	return s.ClientStream.Trailer()
}

var errUnsent = fmt.Errorf("stream used before its request: %w", status.Error(codes.Internal, "no request"))
