package fault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

func ExampleViolations() {
	var v fault.Violations
	v.Addf("items[0].quantity", "must be 1 to %d", 1000)
	v.Addf("note", "must have at most 10 characters")
	fmt.Println(v.Err())
	// Output: invalid request: items[0].quantity must be 1 to 1000; note must have at most 10 characters
}

func TestStatus(t *testing.T) {
	t.Parallel()

	secret := errors.New("secret")
	tests := map[string]struct {
		err     error
		code    codes.Code
		message string
	}{
		"none":         {nil, codes.OK, ""},
		"fault":        {fault.NotFound("order %q does not exist", "x"), codes.NotFound, `order "x" does not exist`},
		"wrapped":      {fmt.Errorf("secret: %w", fault.PermissionDenied("no")), codes.PermissionDenied, "no"},
		"with_cause":   {fault.Unavailable(secret, "try later"), codes.Unavailable, "try later"},
		"cancelled":    {fmt.Errorf("secret: %w", context.Canceled), codes.Canceled, "the call was cancelled"},
		"deadline":     {fmt.Errorf("secret: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "the call took too long"},
		"unknown":      {secret, codes.Internal, "internal error"},
		"other_status": {status.Error(codes.NotFound, "secret"), codes.Internal, "internal error"},
		// The answer of the generated Unimplemented servers was once INTERNAL. A peer's comes wrapped, and is.
		"no_such_method":      {status.Error(codes.Unimplemented, "secret"), codes.Unimplemented, "the method is not implemented"},
		"no_method_of_a_peer": {fmt.Errorf("ask: %w", status.Error(codes.Unimplemented, "secret")), codes.Internal, "internal error"},
	}
	for name, test := range tests {
		got := fault.Status(test.err)
		if got.Code() != test.code || got.Message() != test.message {
			t.Errorf("%s gives %v", name, got)
		}
	}

	if err := fault.Unavailable(secret, "try later"); !errors.Is(err, secret) || !strings.Contains(err.Error(), "secret") {
		t.Errorf("the log does not see the cause: %v", err)
	}
}

func TestViolationsAreBounded(t *testing.T) {
	t.Parallel()

	var v fault.Violations
	for i := range 100 {
		v.Addf(fmt.Sprintf("f[%d]", i), "is wrong")
	}

	details := fault.Status(v.Err()).Details()

	bad, ok := details[0].(*errdetails.BadRequest)
	if !ok || len(bad.GetFieldViolations()) != 20 {
		t.Errorf("details are %v", details)
	}

	if err := new(fault.Violations).Err(); err != nil {
		t.Errorf("without violations: %v", err)
	}
}
