package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"

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

// Unreadable is the error of a body that could not be read, for the cause. A problem stays what it is.
func Unreadable(cause error) error {
	if known := (*Problem)(nil); errors.As(cause, &known) {
		return cause
	}

	return fmt.Errorf("%w: %w", New(codes.InvalidArgument, "the body could not be read"), cause)
}

// BodyTooExpensive is the response to a body that would take more memory than the request may.
func BodyTooExpensive() *Problem {
	return WithStatus(http.StatusRequestEntityTooLarge, codes.OutOfRange,
		"the body takes too much memory for the size of the request")
}
