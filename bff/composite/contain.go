package composite

import (
	"errors"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrExited is the error of a branch that ended its goroutine with runtime.Goexit instead of returning.
var ErrExited = errors.New("branch ended without returning")

// PanicError is the error of a branch that panicked.
type PanicError struct {
	// Value is what it panicked with.
	Value any
	// Stack is where, as debug.Stack prints it. It is for the log; Error leaves it out.
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// GRPCStatus makes the panic an internal error without a word about its value, which nobody chose with a client in mind.
func (e *PanicError) GRPCStatus() *status.Status { return status.New(codes.Internal, "panic") }

// contained runs a function and makes a panic its error.
func contained(run func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()

	return run()
}

// named puts the name of the branch before the error, for the log.
func named(name string, err error) error {
	wrapped := fmt.Errorf("branch %s: %w", name, err)

	var carrier interface{ GRPCStatus() *status.Status }
	if errors.As(err, &carrier) && carrier.GRPCStatus() != nil {
		return &statusError{error: wrapped, status: carrier.GRPCStatus()}
	}

	return wrapped
}

// statusError keeps the message of a status as the branch returned it. Of a merely wrapped status, status.FromError makes one whose
// message is all of the text of the error, and that message may be for a client to read.
type statusError struct {
	error

	status *status.Status
}

// GRPCStatus implements the interface that status.FromError looks for.
func (e *statusError) GRPCStatus() *status.Status { return e.status }

// Unwrap makes errors.Is and errors.As see what is wrapped.
func (e *statusError) Unwrap() error { return e.error }
