package leg

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// Traced is an interceptor for Conn by which each leg is a span, also if it makes no call of its own: because it is refused, or
// gets the reply to another call. It is the outermost.
func Traced(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if tracing.From(ctx) == nil {
		return invoke(ctx, method, req, reply, cc, opts...)
	}

	ctx, span := tracing.Start(ctx, "leg "+strings.TrimPrefix(method, "/"))
	defer span.End()

	err := invoke(ctx, method, req, reply, cc, opts...)
	if err != nil {
		st, _ := status.FromError(err)
		span.Fail(problem.CodeName(st.Code()), st.Message())
	}

	return err
}
