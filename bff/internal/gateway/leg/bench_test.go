package leg_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// BenchmarkGuard is what the policy of a leg costs: an owner, and a rule.
func BenchmarkGuard(b *testing.B) {
	service := userv1.File_user_v1_user_proto.Services().Get(0)
	api := policy.Read([]protoreflect.ServiceDescriptor{service}, nil, func(protoreflect.FullName) policy.Defaults {
		return policy.Defaults{Timeout: time.Hour}
	})

	guard := leg.New(leg.Config{Methods: api.Methods()})
	request := &userv1.GetUserRequest{UserId: "alice"}
	run := func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
		return nil
	}

	// The request ends before the timeout of the method is over.
	deadline := time.Now()
	ctx := reqinfo.NewContext(endless{b.Context(), &deadline}, &reqinfo.Record{Principal: alice()})

	b.ReportAllocs()

	for b.Loop() {
		deadline = time.Now().Add(time.Second)

		if err := guard.Unary(ctx, userv1.UserService_GetUser_FullMethodName, request, nil, nil, run); err != nil {
			b.Fatal(err)
		}
	}
}

// endless is a context whose deadline never comes.
type endless struct {
	context.Context //nolint:containedctx // It is one.

	deadline *time.Time
}

func (e endless) Deadline() (time.Time, bool) { return *e.deadline, true }
