package composite_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/composite"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
)

// A client reads the message of a status whose code is about the request, as the branch returned it, and nothing else of an error.
func TestWhatAClientReadsOfAMissingPart(t *testing.T) {
	t.Parallel()

	const fault = "something went wrong on our side"

	for name, tt := range map[string]struct {
		run     func(context.Context) error
		code    code.Code
		message string
	}{
		"status":         {fail(0, status.Error(codes.NotFound, "no such user")), code.Code_NOT_FOUND, "no such user"},
		"wrapped_status": {fail(0, fmt.Errorf("10.0.0.7: %w", status.Error(codes.NotFound, "no such user"))), code.Code_NOT_FOUND, "no such user"},
		"joined_status":  {fail(0, errors.Join(errBroken, status.Error(codes.NotFound, "no such user"))), code.Code_NOT_FOUND, "no such user"},
		"fault":          {fail(0, status.Error(codes.Internal, "row 7 of users is locked")), code.Code_INTERNAL, fault},
		"unknown":        {fail(0, status.Error(codes.Unknown, "row 7 of users is locked")), code.Code_UNKNOWN, fault},
		"plain_error":    {fail(0, errors.New("dial tcp 10.0.0.7: connection refused")), code.Code_INTERNAL, fault},
		"panic":          {func(context.Context) error { panic("secret") }, code.Code_INTERNAL, fault},
		"deadline":       {fail(0, context.DeadlineExceeded), code.Code_DEADLINE_EXCEEDED, "the response did not come in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			page := &dashboardv1.Dashboard{}
			if err := composite.Run(t.Context(), page, composite.Optional("user", tt.run)); err != nil {
				t.Fatal(err)
			}

			got := page.GetPartialErrors()[0]
			if got.GetPart() != "user" || got.GetCode() != tt.code || got.GetMessage() != tt.message {
				t.Errorf("got %v", got)
			}
		})
	}
}
