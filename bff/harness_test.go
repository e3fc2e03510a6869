package bff_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite/dashboard"
	"github.com/portico-gateway/portico/bff/config"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// backend is a real gRPC server that offers just enough of every service and remembers every call.
type backend struct {
	userv1.UnimplementedUserServiceServer
	orderv1.UnimplementedOrderServiceServer
	paymentv1.UnimplementedPaymentServiceServer
	profilev1.UnimplementedProfileServiceServer
	shelfv1.UnimplementedShelfServiceServer

	address string
	// fail, if set, is what calls end with, by full method.
	fail map[string]error
	// hold, if set, is waited for before any answer.
	hold chan struct{}

	mu    sync.Mutex
	calls []call
}

type call struct {
	rpc      string
	metadata metadata.MD
	left     time.Duration
}

func startBackend(t *testing.T) *backend {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &backend{address: listener.Addr().String(), fail: map[string]error{}}
	server := grpc.NewServer(grpc.UnaryInterceptor(b.unary), grpc.StreamInterceptor(b.stream))
	userv1.RegisterUserServiceServer(server, b)
	orderv1.RegisterOrderServiceServer(server, b)
	profilev1.RegisterProfileServiceServer(server, b)
	paymentv1.RegisterPaymentServiceServer(server, b)
	shelfv1.RegisterShelfServiceServer(server, b)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return b
}

func (b *backend) note(ctx context.Context, rpc string) error {
	md, _ := metadata.FromIncomingContext(ctx)

	var left time.Duration
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}

	b.mu.Lock()
	b.calls = append(b.calls, call{rpc: rpc, metadata: md, left: left})
	b.mu.Unlock()

	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}

	return b.fail[rpc]
}

func (b *backend) unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	// Health checks are the gateway's own business.
	if strings.HasPrefix(info.FullMethod, "/grpc.health") {
		return handler(ctx, req)
	}

	if err := b.note(ctx, info.FullMethod); err != nil {
		return nil, err
	}

	return handler(ctx, req)
}

func (b *backend) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if strings.HasPrefix(info.FullMethod, "/grpc.health") {
		return handler(srv, ss)
	}

	if err := b.note(ss.Context(), info.FullMethod); err != nil {
		return err
	}

	return handler(srv, ss)
}

func (b *backend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()

	return len(b.calls)
}

// taken returns the calls so far and forgets them.
func (b *backend) taken() []call {
	b.mu.Lock()
	defer b.mu.Unlock()

	calls := b.calls
	b.calls = nil

	return calls
}

func (b *backend) GetUser(_ context.Context, req *userv1.GetUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId()}, nil
}

func (b *backend) UpdateUser(_ context.Context, req *userv1.UpdateUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId(), DisplayName: strings.Join(req.GetUpdateMask().GetPaths(), ",")}, nil
}

func (b *backend) ListOrders(_ context.Context, req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	return &orderv1.ListOrdersResponse{Orders: []*orderv1.Order{{OrderId: "o1", UserId: req.GetUserId()}}}, nil
}

func (b *backend) DeleteUser(context.Context, *userv1.DeleteUserRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (b *backend) GetProfile(_ context.Context, req *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	return &profilev1.Profile{UserId: req.GetUserId()}, nil
}

func (b *backend) CreateOrder(_ context.Context, req *orderv1.CreateOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{OrderId: "o1", Items: req.GetItems()}, nil
}

// WatchOrder answers with the two changes after those that the client has seen.
func (b *backend) WatchOrder(req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	for i := range int64(2) {
		if err := stream.Send(&orderv1.WatchOrderResponse{OrderId: req.GetOrderId(), Sequence: req.GetAfterSequence() + i + 1}); err != nil {
			return err
		}
	}

	return nil
}

func (b *backend) GetFeaturedShelf(context.Context, *shelfv1.GetFeaturedShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: "the featured one"}, nil
}

func (b *backend) GetShelf(_ context.Context, req *shelfv1.GetShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: req.GetShelfId(), Title: req.GetRoomId()}, nil
}

func (b *backend) MoveShelf(_ context.Context, req *shelfv1.MoveShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: req.GetShelfId(), Title: req.GetRoomId()}, nil
}

func (b *backend) ListBooks(req *shelfv1.ListBooksRequest, stream grpc.ServerStreamingServer[shelfv1.ListBooksResponse]) error {
	if req.GetParent() == "shelves/none" {
		return status.Error(codes.NotFound, "no such shelf")
	}

	for _, title := range []string{"Emma", "Ulysses"} {
		if err := stream.Send(&shelfv1.ListBooksResponse{Title: title}); err != nil {
			return err
		}
	}

	switch req.GetParent() {
	case "shelves/torn":
		return status.Error(codes.Internal, "secret: disk 7 at 10.0.0.7")
	case "shelves/endless":
		<-stream.Context().Done()

		return stream.Context().Err()
	}

	return nil
}

func (b *backend) Echo(_ context.Context, req *shelfv1.EchoRequest) (*shelfv1.EchoResponse, error) {
	return &shelfv1.EchoResponse{Rest: req.GetRest(), Text: req.GetText()}, nil
}

// site is a gateway behind a real listener, over one backend that plays all upstreams.
type site struct {
	*backend

	compiled *bff.Compiled
	gw       *bff.Gateway
	url      string
	issuer   *devissuer.DevIssuer
	logs     *lines
	// client speaks another version of HTTP than 1.1. Nil: 1.1.
	client *http.Client
	// stopBackend kills the backend of a mirror.
	stopBackend func()
}

// startSite serves the product's services and the foreign ones. change may alter the configuration.
func startSite(t *testing.T, change func(*config.Config), opts ...bff.Option) *site {
	t.Helper()

	return startSiteIn(t.Context(), t, change, opts...)
}

// startSiteIn is startSite with the hooks of a context.
func startSiteIn(ctx context.Context, t *testing.T, change func(*config.Config), opts ...bff.Option) *site {
	t.Helper()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	s := &site{backend: startBackend(t), issuer: issuer, logs: &lines{}}

	cfg := config.Config{
		Auth: config.Auth{Issuers: []config.Issuer{{
			Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: issuer.JWKSFile(),
		}}},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{s.address}}},
	}

	for _, service := range gen.Services() {
		if !service.Composite {
			cfg.Upstreams[service.Upstream] = config.Upstream{Addresses: []string{s.address}}
		}
	}

	if change != nil {
		change(&cfg)
	}

	opts = append([]bff.Option{
		bff.WithServices(gen.Services()...),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, dashboard.New),
		bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}}),
		bff.WithLogger(slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}, opts...)

	s.open(ctx, t, compile(t, cfg, opts...))

	return s
}

// siteOf serves a compiled gateway.
func siteOf(t *testing.T, compiled *bff.Compiled) *site {
	t.Helper()

	s := &site{}
	s.open(t.Context(), t, compiled)

	return s
}

func (s *site) open(ctx context.Context, t *testing.T, compiled *bff.Compiled) {
	t.Helper()

	gw, err := openGateway(ctx, t, compiled)
	if err != nil {
		t.Fatal(err)
	}

	s.compiled, s.gw, s.url = compiled, gw, serve(t, gw)
}

// serve listens for the gateway and closes it at the end of the test.
func serve(t *testing.T, gw *bff.Gateway) string {
	t.Helper()

	server := httptest.NewServer(gw)

	t.Cleanup(func() {
		// Streams that a test left open end with the gateway.
		gw.Drain()
		server.Close()

		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	})

	return server.URL
}

// lines collects log lines.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.String()
}

func (s *site) token(t *testing.T, subject string, scopes ...string) string {
	t.Helper()

	token, err := s.issuer.Token(subject, scopes, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	return token
}

// as returns the header of a caller.
func (s *site) as(t *testing.T, subject string, scopes ...string) http.Header {
	t.Helper()

	return http.Header{"Authorization": {"Bearer " + s.token(t, subject, scopes...)}}
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem is the body as a problem document.
func (a answer) problem(t *testing.T) map[string]any {
	t.Helper()

	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type is %q, not that of a problem; body %s", got, a.body)
	}

	var doc map[string]any
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}

	for _, field := range []string{"type", "title", "status", "code", "request_id", "instance"} {
		if doc[field] == nil || doc[field] == "" {
			t.Errorf("problem without %s: %s", field, a.body)
		}
	}

	if got := doc["status"]; got != float64(a.status) {
		t.Errorf("problem says status %v, the answer %d", got, a.status)
	}

	return doc
}

// do sends a request whose target is the path as it stands, whatever it contains.
func (s *site) do(t *testing.T, method, target string, header http.Header, body string) answer {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), method, s.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	path, query, _ := strings.Cut(target, "?")
	// Opaque goes into the request line as it is.
	req.URL.Opaque = "//" + req.URL.Host + path
	req.URL.RawQuery = query

	if header != nil {
		req.Header = header.Clone()
	}

	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}

	client := s.client
	if client == nil {
		client = &http.Client{}
	}

	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}

	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

// anOrder is a body that the rules of CreateOrderRequest allow.
const anOrder = `{"items":[{"sku":"s","title":"t","quantity":1,"unitPrice":{"currencyCode":"EUR","units":"1"}}]}`

// orderFor is one for a user.
func orderFor(userID string) string { return `{"userId":"` + userID + `",` + anOrder[1:] }

func readLines(t *testing.T, file string) []string {
	t.Helper()

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func rpcs(calls []call) []string {
	names := make([]string, 0, len(calls))
	for _, c := range calls {
		names = append(names, c.rpc)
	}

	slices.Sort(names)

	return names
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s did not happen in time", what)
		}
	}
}
