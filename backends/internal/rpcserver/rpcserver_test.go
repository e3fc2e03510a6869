package rpcserver_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/rpcserver"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// orders behaves as its functions say.
type orders struct {
	orderv1.UnimplementedOrderServiceServer

	get   func(ctx context.Context) error
	watch func(ctx context.Context) error
}

func (o *orders) GetOrder(ctx context.Context, _ *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{}, o.get(ctx)
}

func (o *orders) WatchOrder(_ *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	return o.watch(stream.Context())
}

// log is a buffer that several goroutines may write to.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.buf.Write(p)
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()

	return strings.Count(l.buf.String(), text)
}

func serve(t *testing.T, impl *orders) (*rpcserver.Server, *grpc.ClientConn, *log) {
	t.Helper()

	return serveService(t, func(r grpc.ServiceRegistrar) { orderv1.RegisterOrderServiceServer(r, impl) })
}

func serveService(t *testing.T, register func(grpc.ServiceRegistrar)) (*rpcserver.Server, *grpc.ClientConn, *log) {
	t.Helper()

	lines := &log{}
	logger := slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := rpcserver.New(logger, register)
	listener := bufconn.Listen(1 << 16)
	done := make(chan error, 1)

	go func() { done <- server.Serve(listener) }()

	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithChainUnaryInterceptor(func(
			ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			return call(identified(ctx), method, req, reply, conn, opts...)
		}),
		grpc.WithChainStreamInterceptor(func(
			ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return open(identified(ctx), desc, conn, method, opts...)
		}))
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop(time.Second)

		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})

	return server, conn, lines
}

// identified gives the context of a call by somebody, unless the test says who calls.
func identified(ctx context.Context) context.Context {
	if _, set := metadata.FromOutgoingContext(ctx); set {
		return ctx
	}

	return caller.Outgoing(ctx, caller.Service("test"))
}

// Calls without an identity and requests against the rules of their protos do not reach a handler, in streams either.
func TestRefusals(t *testing.T) {
	t.Parallel()

	unreachable := func(context.Context) error { return errors.New("it was called") }
	_, conn, _ := serve(t, &orders{get: unreachable, watch: unreachable})
	client := orderv1.NewOrderServiceClient(conn)
	nobody := metadata.AppendToOutgoingContext(t.Context(), "x-other", "x")

	for name, row := range map[string]struct {
		anonymous bool
		orderID   string
		want      codes.Code
	}{
		"nobody":              {true, "o", codes.Unauthenticated},
		"nobody_and_nonsense": {true, "", codes.Unauthenticated},
		"nonsense":            {false, "", codes.InvalidArgument},
	} {
		ctx := t.Context()
		if row.anonymous {
			ctx = nobody
		}

		_, err := client.GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: row.orderID})
		if status.Code(err) != row.want {
			t.Errorf("%s: %v", name, err)
		}

		watch, err := client.WatchOrder(ctx, &orderv1.WatchOrderRequest{OrderId: row.orderID})
		if err != nil {
			t.Fatal(err)
		}

		if _, err := watch.Recv(); status.Code(err) != row.want {
			t.Errorf("%s: the stream ends with %v", name, err)
		}
	}
}

func TestErrorsAreMappedAndLoggedOnce(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		get     func(ctx context.Context) error
		code    codes.Code
		message string
		logged  string
	}{
		"panic":   {func(context.Context) error { panic("secret") }, codes.Internal, "internal error", "panic=secret"},
		"unknown": {func(context.Context) error { return errors.New("secret") }, codes.Internal, "internal error", "error=secret"},
		"full":    {fillDisk, codes.ResourceExhausted, "the storage is full", `level=ERROR msg="call failed"`},
		"fault":   {func(context.Context) error { return fault.NotFound("gone") }, codes.NotFound, "gone", "code=NotFound"},
		"cancel":  {func(context.Context) error { return context.Canceled }, codes.Canceled, "the call was cancelled", "code=Canceled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, conn, lines := serve(t, &orders{get: test.get, watch: test.get})
			client := orderv1.NewOrderServiceClient(conn)

			_, err := client.GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: "o"})
			if got := status.Convert(err); got.Code() != test.code || got.Message() != test.message {
				t.Errorf("the client gets %v", got)
			}

			if got := lines.count(test.logged); got != 1 {
				t.Errorf("%d lines with %q, want 1", got, test.logged)
			}

			watch, err := client.WatchOrder(t.Context(), &orderv1.WatchOrderRequest{OrderId: "o"})
			if err != nil {
				t.Fatal(err)
			}

			if _, err := watch.Recv(); status.Code(err) != test.code {
				t.Errorf("the stream ends with %v", err)
			}
		})
	}
}

// The status of the health service once became INTERNAL and an error in the log.
// fillDisk fails as a database without space does.
func fillDisk(ctx context.Context) error {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	defer db.Close()

	db.SetMaxOpenConns(1) // Each has a database of its own.

	_, err = db.ExecContext(ctx, `PRAGMA max_page_count = 1; CREATE TABLE secret (x TEXT); CREATE TABLE more (x TEXT)`)

	return err
}

func TestHealthKeepsItsOwnStatus(t *testing.T) {
	t.Parallel()

	_, conn, lines := serve(t, &orders{})

	_, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: "unknown"})
	if got := status.Code(err); got != codes.NotFound {
		t.Errorf("the health of an unknown service is %v", err)
	}

	if got := lines.count("level=ERROR"); got != 0 {
		t.Errorf("%d errors in the log", got)
	}
}

func TestMethodThatNobodyWrote(t *testing.T) {
	t.Parallel()

	_, conn, _ := serve(t, &orders{})

	_, err := orderv1.NewOrderServiceClient(conn).ListOrders(t.Context(), &orderv1.ListOrdersRequest{UserId: "u"})
	if got := status.Code(err); got != codes.Unimplemented {
		t.Errorf("it answers %v", err)
	}
}

func TestStopLetsCallsFinish(t *testing.T) {
	t.Parallel()

	entered, release := make(chan struct{}), make(chan struct{})
	server, conn, _ := serve(t, &orders{get: func(context.Context) error {
		close(entered)
		<-release

		return nil
	}})
	answered := make(chan error, 1)

	go func() {
		_, err := orderv1.NewOrderServiceClient(conn).GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: "o"})
		answered <- err
	}()

	<-entered

	// NOT_SERVING is said while the call is still running.
	watching, leave := context.WithCancel(t.Context())
	defer leave()

	watch, err := healthv1.NewHealthClient(conn).Watch(watching, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}

	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}

	stopped := make(chan struct{})

	go func() {
		defer close(stopped)

		server.Stop(5 * time.Second)
	}()

	if resp, err := watch.Recv(); err != nil || resp.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health is %v, %v", resp.GetStatus(), err)
	}

	leave()
	close(release)

	if err := <-answered; err != nil {
		t.Errorf("the call in flight got %v", err)
	}

	<-stopped
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()

	entered := make(chan struct{})
	server, conn, _ := serve(t, &orders{get: func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()

		return ctx.Err()
	}})
	answered := make(chan error, 1)

	go func() {
		_, err := orderv1.NewOrderServiceClient(conn).GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: "o"})
		answered <- err
	}()

	<-entered
	server.Stop(10 * time.Millisecond)

	if err := <-answered; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that took too long got %v", err)
	}
}

// uploads takes avatars in and throws them away.
type uploads struct {
	profilev1.UnimplementedProfileServiceServer

	received chan struct{}
}

func (u *uploads) UploadAvatar(stream grpc.ClientStreamingServer[profilev1.UploadAvatarRequest, profilev1.Avatar]) error {
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&profilev1.Avatar{})
		}

		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}

		u.received <- struct{}{}

		if err := stream.Context().Err(); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
}

func serveUploads(t *testing.T) (*rpcserver.Server, profilev1.ProfileServiceClient, *uploads, *log) {
	t.Helper()

	impl := &uploads{received: make(chan struct{}, 1)}
	server, conn, lines := serveService(t, func(r grpc.ServiceRegistrar) { profilev1.RegisterProfileServiceServer(r, impl) })

	return server, profilev1.NewProfileServiceClient(conn), impl, lines
}

func TestFailedReceiveIsTheClients(t *testing.T) {
	t.Parallel()

	_, client, impl, lines := serveUploads(t)

	stream, err := client.UploadAvatar(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	_ = stream.Send(&profilev1.UploadAvatarRequest{UserId: "u", File: &httpbody.HttpBody{Data: make([]byte, 9<<20)}}) // It may end earlier.

	if _, err = stream.CloseAndRecv(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message that is too large gives %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	if stream, err = client.UploadAvatar(ctx); err != nil {
		t.Fatal(err)
	}

	if err := stream.Send(&profilev1.UploadAvatarRequest{UserId: "u"}); err != nil {
		t.Fatal(err)
	}

	<-impl.received
	cancel()

	for lines.count("code=Canceled") == 0 && lines.count("level=ERROR") == 0 {
		time.Sleep(time.Millisecond)
	}

	if got := lines.count("level=ERROR"); got != 0 {
		t.Errorf("%d errors in the log", got)
	}
}

// An upload has one answer, as a unary call has.
func TestStopLetsUploadsFinish(t *testing.T) {
	t.Parallel()

	server, client, impl, _ := serveUploads(t)

	stream, err := client.UploadAvatar(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	send := func() {
		if err := stream.Send(&profilev1.UploadAvatarRequest{UserId: "u"}); err != nil {
			t.Fatal(err)
		}

		<-impl.received
	}

	send()

	stopped := make(chan struct{})

	go func() {
		defer close(stopped)

		server.Stop(5 * time.Second)
	}()

	for { // A new call is refused once the server is stopping.
		_, err := client.GetProfile(t.Context(), &profilev1.GetProfileRequest{UserId: "u"})
		if status.Code(err) == codes.Unavailable {
			break
		}
	}

	send()

	if _, err := stream.CloseAndRecv(); err != nil {
		t.Errorf("the upload got %v", err)
	}

	<-stopped
}
