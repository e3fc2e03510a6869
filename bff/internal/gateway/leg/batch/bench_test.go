package batch_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg/batch"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// BenchmarkCalls is what different calls of one request cost, beside the calls themselves.
func BenchmarkCalls(b *testing.B) {
	encoded, err := proto.Marshal(&userv1.User{UserId: "ada", DisplayName: "Ada Lovelace", Email: "ada@example.org"})
	if err != nil {
		b.Fatal(err)
	}

	next := func(_ context.Context, _ string, _, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		message, _ := reply.(proto.Message)
		if !passthrough.In(opts) {
			return proto.Unmarshal(encoded, message)
		}

		message.ProtoReflect().SetUnknown(encoded)

		return nil
	}

	for _, n := range []int{0, 1, 3, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			unary := batch.Unary(0)

			b.ReportAllocs()

			for b.Loop() {
				ctx, s := scope.Open(b.Context(), false)

				for i := range n {
					request := &userv1.GetUserRequest{UserId: "usr_" + string(rune('a'+i))}
					if err := unary(ctx, userv1.UserService_GetUser_FullMethodName, request, &userv1.User{}, nil, next); err != nil {
						b.Fatal(err)
					}
				}

				s.Close()
			}
		})
	}
}
