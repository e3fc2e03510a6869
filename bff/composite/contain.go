package composite

import (
	"errors"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// ErrExited is the error of a function that ended its goroutine with runtime.Goexit instead of returning.
var ErrExited = errors.New("branch ended without returning")

// PanicError is the error of a function that panicked.
type PanicError struct {
	// Value is what it panicked with.
	Value any
	// Stack is where, as debug.Stack prints it. It is for the log; Error leaves it out.
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// GRPCStatus returns an INTERNAL status without the value, which is not for clients.
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

	// Of a merely wrapped status, status.FromError makes one whose message is all of the text, and clients may read the message.
	var carrier interface{ GRPCStatus() *status.Status }
	if errors.As(err, &carrier) && carrier.GRPCStatus() != nil {
		return problem.WithCause(carrier.GRPCStatus(), wrapped)
	}

	return wrapped
}
