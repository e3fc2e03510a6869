// Package fault is the one kind of error that the backends tell their clients: it knows its gRPC code and carries a text that was
// written for the client, apart from the cause, which only the log sees.
//
// It is not for errors that a client cannot act upon. Those stay ordinary Go errors and reach the client as a plain INTERNAL.
package fault

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is a failure that the client may know about.
type Error struct {
	code       codes.Code
	message    string
	violations []Violation
	cause      error
}

// Error gives the text for the log: the public message and the cause behind it.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.message
	}

	return e.message + ": " + e.cause.Error()
}

// Unwrap gives the cause, nil when there is none.
func (e *Error) Unwrap() error { return e.cause }

// Code is the gRPC code that the client gets.
func (e *Error) Code() codes.Code { return e.code }

// NotFound says that what the request names does not exist.
func NotFound(format string, args ...any) error {
	return &Error{code: codes.NotFound, message: fmt.Sprintf(format, args...)}
}

// AlreadyExists says that what the request wants to create is there.
func AlreadyExists(format string, args ...any) error {
	return &Error{code: codes.AlreadyExists, message: fmt.Sprintf(format, args...)}
}

// PermissionDenied says that the caller is known and may not do this.
func PermissionDenied(format string, args ...any) error {
	return &Error{code: codes.PermissionDenied, message: fmt.Sprintf(format, args...)}
}

// Unauthenticated says that nobody knows who is calling.
func Unauthenticated(format string, args ...any) error {
	return &Error{code: codes.Unauthenticated, message: fmt.Sprintf(format, args...)}
}

// FailedPrecondition says that the request is well formed and the state of things does not allow it.
func FailedPrecondition(format string, args ...any) error {
	return &Error{code: codes.FailedPrecondition, message: fmt.Sprintf(format, args...)}
}

// OutOfRange says that the request is well formed and points beyond the end of something.
func OutOfRange(format string, args ...any) error {
	return &Error{code: codes.OutOfRange, message: fmt.Sprintf(format, args...)}
}

// Aborted says that another call came in between; doing it all again may work.
func Aborted(format string, args ...any) error {
	return &Error{code: codes.Aborted, message: fmt.Sprintf(format, args...)}
}

// ResourceExhausted says that something is used up, such as the space on a disk. The cause is for the log only.
func ResourceExhausted(cause error, format string, args ...any) error {
	return &Error{code: codes.ResourceExhausted, message: fmt.Sprintf(format, args...), cause: cause}
}

// Unavailable says that it may work later. The cause is for the log only.
func Unavailable(cause error, format string, args ...any) error {
	return &Error{code: codes.Unavailable, message: fmt.Sprintf(format, args...), cause: cause}
}

// Status gives what a client may know about err: nil becomes OK, an Error its public part, the end of the context its code, a
// method that nobody has written yet UNIMPLEMENTED, and everything else INTERNAL without a word about the reason. Everything
// else includes the statuses of peers: their texts were not written for this client.
func Status(err error) *status.Status {
	var f *Error

	switch {
	case err == nil:
		return status.New(codes.OK, "")
	case errors.As(err, &f):
		return f.status()
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, "the call was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, "the call took too long")
	case status.Code(err) == codes.Unimplemented && errors.Unwrap(err) == nil: // Not a peer's: those are wrapped.
		return status.New(codes.Unimplemented, "the method is not implemented")
	default:
		return status.New(codes.Internal, "internal error")
	}
}

func (e *Error) status() *status.Status {
	st := status.New(e.code, e.message)
	if len(e.violations) == 0 {
		return st
	}

	bad := &errdetails.BadRequest{}
	for _, v := range e.violations {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field:       v.Field,
			Description: v.Description,
		})
	}

	detailed, err := st.WithDetails(bad)
	if err != nil {
		return st // The code and the message are worth more than no answer.
	}

	return detailed
}
