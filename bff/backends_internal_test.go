package bff

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// Tags and the Location header are made of fields of the reply. Those that a composite has only passed on would read as unset.
func TestReplyOfACompositeIsDecodedWhereItIsRead(t *testing.T) {
	t.Parallel()

	encoding, err := proto.Marshal(&dashboardv1.Dashboard{User: &userv1.User{UserId: "usr_ada"}})
	if err != nil {
		t.Fatal(err)
	}

	first := func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	invoke := func(_ context.Context, _ string, _, reply any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
		page, _ := reply.(*dashboardv1.Dashboard)
		page.ProtoReflect().SetUnknown(encoding)

		return nil
	}

	for name, tt := range map[string]struct {
		opts []grpc.CallOption
		want string
	}{
		"read":            {nil, "usr_ada"},
		"written_as_JSON": {[]grpc.CallOption{passthrough.Option()}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			page := &dashboardv1.Dashboard{}
			if err := compositeUnary(first)(t.Context(), "", nil, page, nil, invoke, tt.opts...); err != nil {
				t.Fatal(err)
			}

			if got := page.GetUser().GetUserId(); got != tt.want {
				t.Errorf("user is %q, want %q", got, tt.want)
			}
		})
	}
}
