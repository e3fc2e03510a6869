package problem

import (
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

type statusError struct {
	status *status.Status
	cause  error
	// refusal is that of the cause.
	refusal reqinfo.Refusal
}

func (e *statusError) Error() string              { return e.cause.Error() }
func (e *statusError) Unwrap() error              { return e.cause }
func (e *statusError) GRPCStatus() *status.Status { return e.status }

// WithCause returns an error that is the status to gRPC and wraps its cause, which the log gets.
func WithCause(st *status.Status, cause error) error {
	return &statusError{status: st, cause: cause, refusal: refusalOf(cause)}
}

// refusalOf returns why the gateway refused what the error is about; zero if it did not.
func refusalOf(err error) reqinfo.Refusal {
	if known := (*Problem)(nil); errors.As(err, &known) {
		return known.refusal
	}

	if known := (*statusError)(nil); errors.As(err, &known) {
		return known.refusal
	}

	return reqinfo.Refusal{}
}

// Refusal returns the error of calls that are not made because of the cause: an UNAVAILABLE status that wraps it, with its text,
// and says when to try again (google.rpc.RetryInfo). The reason is for the log. It can be returned many times.
func Refusal(cause error, reason reqinfo.Reason, retryAfter time.Duration) error {
	st := status.New(codes.Unavailable, cause.Error())
	if detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)}); err == nil {
		st = detailed
	}

	return &statusError{status: st, cause: cause, refusal: reqinfo.Refusal{Reason: reason}}
}
