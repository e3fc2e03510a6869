package problem

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
)

// Unread is the answer to a request of which the body could not be read, for this error. ctx is the request's; exceeded reports
// whether the body is larger than limit, in bytes.
func Unread(ctx context.Context, err error, exceeded bool, limit int64) *Problem {
	known := (*Problem)(nil)

	switch {
	case errors.As(err, &known):
		return known
	case exceeded:
		return BodyTooLarge(limit)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return From(context.DeadlineExceeded)
	default:
		return New(codes.InvalidArgument, "the body could not be read")
	}
}
