package leg_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/bff/internal/upstream/leg"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

const rpc = "/user.v1.UserService/GetUser"

// sharer gives everybody the first reply.
type sharer struct {
	calls int
	reply []byte
	err   error
}

func (s *sharer) Do(
	ctx context.Context, request proto.Message, call func(context.Context, proto.Message) ([]byte, error),
) ([]byte, error) {
	if s.calls++; s.reply == nil && s.err == nil {
		s.reply, s.err = call(ctx, request)
	}

	return s.reply, s.err
}

// backend replies as gRPC does: decoded, or not, as the options say.
func backend(t *testing.T, calls *int, reply proto.Message) grpc.UnaryInvoker {
	t.Helper()

	data, err := proto.Marshal(reply)
	if err != nil {
		t.Fatal(err)
	}

	return func(_ context.Context, _ string, _, out any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		*calls++

		message := out.(proto.Message)
		if passthrough.In(opts) {
			message.ProtoReflect().SetUnknown(data)
			return nil
		}

		return proto.Unmarshal(data, message)
	}
}

func TestEachCallerGetsAReplyOfItsOwn(t *testing.T) {
	t.Parallel()

	var made int

	want := &userv1.User{UserId: "u1", DisplayName: "Ada"}
	invoke := backend(t, &made, want)
	shared := leg.Shared(map[string]leg.Sharer{rpc: &sharer{}})
	request := &userv1.GetUserRequest{UserId: "u1"}

	first, second := &userv1.User{Email: "from before"}, &userv1.User{}

	for _, reply := range []*userv1.User{first, second} {
		if err := shared(t.Context(), rpc, request, reply, nil, invoke, grpc.StaticMethod()); err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(want, reply, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}

		reply.DisplayName = "changed"
	}

	if made != 1 {
		t.Errorf("%d calls", made)
	}
}

// Who passes a reply on gets it as it came, and may add to it.
func TestCallerThatForwardsGetsTheEncodedReply(t *testing.T) {
	t.Parallel()

	var made int

	want := &userv1.User{UserId: "u1"}
	invoke := backend(t, &made, want)
	shared := leg.Shared(map[string]leg.Sharer{rpc: &sharer{}})
	data, _ := proto.Marshal(want)

	for range 2 {
		reply := &userv1.User{DisplayName: "from before"}
		if err := shared(t.Context(), rpc, &userv1.GetUserRequest{}, reply, nil, invoke, passthrough.Option()); err != nil {
			t.Fatal(err)
		}

		unknown := reply.ProtoReflect().GetUnknown()
		if string(unknown) != string(data) || reply.GetUserId() != "" || reply.GetDisplayName() != "" {
			t.Errorf("got %v, %q", reply, unknown)
		}

		_ = append(unknown, "more"...)
	}

	decoded := &userv1.User{}
	if err := shared(t.Context(), rpc, &userv1.GetUserRequest{}, decoded, nil, invoke); err != nil || decoded.GetUserId() != "u1" {
		t.Errorf("got %v, %v", decoded, err)
	}
}

func TestCallsThatAreNotShared(t *testing.T) {
	t.Parallel()

	var header metadata.MD

	tests := []struct {
		name, rpc string
		opts      []grpc.CallOption
	}{
		{"method_that_is_not_shared", "/user.v1.UserService/UpdateUser", nil},
		{"that_want_the_header", rpc, []grpc.CallOption{grpc.Header(&header)}},
		{"of_generated_code_that_want_the_header", rpc, []grpc.CallOption{grpc.StaticMethod(), grpc.Header(&header)}},
		{"that_want_the_header_and_pass_on", rpc, []grpc.CallOption{passthrough.Option(), grpc.Header(&header)}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var made int

			s := &sharer{}
			shared := leg.Shared(map[string]leg.Sharer{rpc: s})
			plain := backend(t, &made, &userv1.User{UserId: "u1"})

			got := 0
			invoke := func(ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
				got = len(opts)
				return plain(ctx, rpc, req, reply, cc, opts...)
			}

			for range 2 {
				if err := shared(t.Context(), tt.rpc, &userv1.GetUserRequest{}, &userv1.User{}, nil, invoke, tt.opts...); err != nil {
					t.Fatal(err)
				}
			}

			if made != 2 || s.calls != 0 || got != len(tt.opts) {
				t.Errorf("%d calls, %d of them shared, %d options", made, s.calls, got)
			}
		})
	}
}

func TestErrorsOfSharedCalls(t *testing.T) {
	t.Parallel()

	down := status.Error(codes.Unavailable, "down")
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return down }

	shared := leg.Shared(map[string]leg.Sharer{rpc: &sharer{}})
	for range 2 {
		if err := shared(t.Context(), rpc, &userv1.GetUserRequest{}, &userv1.User{}, nil, invoke); !errors.Is(err, down) {
			t.Errorf("got %v", err)
		}
	}

	shared = leg.Shared(map[string]leg.Sharer{rpc: &sharer{reply: []byte{0xff}}})
	if err := shared(t.Context(), rpc, &userv1.GetUserRequest{}, &userv1.User{}, nil, invoke); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
}
