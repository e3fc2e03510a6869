package mock_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	"github.com/portico-gateway/portico/bff/internal/tool/mock"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func serve(tb testing.TB, services ...string) *grpc.ClientConn {
	tb.Helper()

	s, err := mock.Start(tb.Context(), mock.Options{
		Services: services, Interval: time.Millisecond, Fail: func(err error) { tb.Error(err) },
	})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(s.Close)

	conn, err := grpc.NewClient("passthrough:///"+s.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { conn.Close() })

	return conn
}

func TestUnary(t *testing.T) {
	t.Parallel()

	conn := serve(t, "order.v1.OrderService", "user.v1.UserService")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-portico-subject", "bob")

	order, err := orderv1.NewOrderServiceClient(conn).GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: "ord_1"})
	if err != nil || order.GetOrderId() != "ord_1" || len(order.GetItems()) == 0 {
		t.Errorf("%v %v", order, err)
	}

	if _, err := userv1.NewUserServiceClient(conn).DeleteUser(ctx, &userv1.DeleteUserRequest{UserId: "bob"}); err != nil {
		t.Error(err)
	}

	_, err = profilev1.NewProfileServiceClient(conn).GetProfile(ctx, &profilev1.GetProfileRequest{UserId: "bob"})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("a service that is not mocked: %v", err)
	}

	for _, service := range []string{"", "order.v1.OrderService"} {
		health, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v %v", service, health, err)
		}
	}
}

func TestServerStream(t *testing.T) {
	t.Parallel()

	client := orderv1.NewOrderServiceClient(serve(t, "order.v1.OrderService"))

	stream, err := client.WatchOrder(t.Context(), &orderv1.WatchOrderRequest{OrderId: "ord_1"})
	if err != nil {
		t.Fatal(err)
	}

	for n := range int64(3) {
		change, err := stream.Recv()
		if err != nil || change.GetOrderId() != "ord_1" || change.GetSequence() != n+1 {
			t.Fatalf("%v %v", change, err)
		}
	}

	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last message: %v", err)
	}
}

func TestUploadAndDownload(t *testing.T) {
	t.Parallel()

	client := profilev1.NewProfileServiceClient(serve(t, "profile.v1.ProfileService"))

	upload, err := client.UploadAvatar(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	for range 3 {
		err := upload.Send(&profilev1.UploadAvatarRequest{
			UserId: "alice", File: &httpbody.HttpBody{ContentType: "image/webp", Data: make([]byte, 1000)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	avatar, err := upload.CloseAndRecv()
	if err != nil || avatar.GetUserId() != "alice" {
		t.Errorf("%v %v", avatar, err)
	}

	download, err := client.GetAvatar(t.Context(), &profilev1.GetAvatarRequest{UserId: "alice"})
	if err != nil {
		t.Fatal(err)
	}

	body, err := download.Recv()
	if err != nil || body.GetContentType() != "text/plain; charset=utf-8" || len(body.GetData()) == 0 {
		t.Fatalf("%v %v", body, err)
	}

	if _, err := download.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last message: %v", err)
	}
}

func TestBothStream(t *testing.T) {
	t.Parallel()

	talk, err := everyv1.NewEveryServiceClient(serve(t, "every.v1.EveryService")).Talk(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	for _, text := range []string{"a", "b"} {
		if err := talk.Send(&everyv1.Every{StringField: text}); err != nil {
			t.Fatal(err)
		}

		if got, err := talk.Recv(); err != nil || got.GetStringField() != text {
			t.Errorf("%v %v", got.GetStringField(), err)
		}
	}

	if err := talk.CloseSend(); err != nil {
		t.Fatal(err)
	}

	if _, err := talk.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last message: %v", err)
	}
}

func TestWhatIsNoService(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]string{
		"order.v1.NoService": "mock order.v1.NoService: proto: not found",
		"order.v1.Order":     "mock order.v1.Order: it is not a service",
	} {
		_, err := mock.Start(t.Context(), mock.Options{Services: []string{name}})
		// The text of the protobuf runtime has a space that changes from build to build.
		if err == nil || strings.ReplaceAll(err.Error(), "\u00a0", " ") != want {
			t.Errorf("%q", err)
		}
	}
}
