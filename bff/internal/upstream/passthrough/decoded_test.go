package passthrough_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// What an interceptor of an embedding program changes in a reply reaches those who get it encoded as well.
func TestInterceptorsOfAProgramSeeReplies(t *testing.T) {
	t.Parallel()

	redact := func(_ context.Context, _ string, _, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		user, ok := reply.(*userv1.User)
		if !ok || passthrough.In(opts) {
			t.Errorf("reply %T, options %v", reply, opts)
			return nil
		}

		user.UserId, user.DisplayName = "usr_1", "redacted"

		return nil
	}

	for _, reply := range []proto.Message{&userv1.User{}, &emptypb.Empty{}} {
		err := passthrough.Decoded(t.Context(), userv1.UserService_GetUser_FullMethodName, nil, reply, nil, redact, passthrough.Option())
		if err != nil {
			t.Fatal(err)
		}

		got := &userv1.User{}
		if err := proto.Unmarshal(reply.ProtoReflect().GetUnknown(), got); err != nil || got.GetDisplayName() != "redacted" {
			t.Errorf("%v, %v", got, err)
		}
	}

	var user userv1.User
	if err := passthrough.Decoded(t.Context(), userv1.UserService_GetUser_FullMethodName, nil, &user, nil, redact); err != nil ||
		user.GetUserId() != "usr_1" {
		t.Errorf("%v, %v", &user, err)
	}
}
