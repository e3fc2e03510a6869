package leg_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

var _ = proto.Marshal

type direct struct{}

func (direct) Do(ctx context.Context, request proto.Message, call func(context.Context, proto.Message) ([]byte, error)) ([]byte, error) {
	return call(ctx, request)
}

func BenchmarkShared(b *testing.B) {
	const rpc = "/user.v1.UserService/GetUser"

	data, _ := proto.Marshal(&userv1.User{UserId: "ada", DisplayName: "Ada Lovelace", Email: "ada@example.org"})
	ctx, cancel := context.WithTimeout(reqinfo.NewContext(b.Context(), &reqinfo.Record{Principal: reqinfo.Principal{Subject: "ada"}}), time.Hour)
	defer cancel()
	interceptor := leg.Shared(map[string]leg.Sharer{rpc: direct{}})
	req, reply := &userv1.GetUserRequest{UserId: "ada"}, &userv1.User{}
	b.ReportAllocs()
	for b.Loop() {
		if err := interceptor(ctx, rpc, req, reply, nil, func(_ context.Context, _ string, _, reply any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			reply.(proto.Message).ProtoReflect().SetUnknown(data)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}
