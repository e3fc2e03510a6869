// Package gatewaytest is the harness of the end-to-end tests: gateways behind real listeners, over backends that record their calls, and
// the check that every exchange is as the OpenAPI document of its gateway says. Tests of a package call Main from their TestMain.
package gatewaytest

import (
	"bufio"
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

// Backend is a real gRPC server that offers just enough of every service and remembers every call.
type Backend struct {
	userv1.UnimplementedUserServiceServer
	orderv1.UnimplementedOrderServiceServer
	paymentv1.UnimplementedPaymentServiceServer
	profilev1.UnimplementedProfileServiceServer
	shelfv1.UnimplementedShelfServiceServer

	Address string
	// Fail, if set, is what calls end with, by full method.
	Fail map[string]error
	// Hold, if set, is waited for before any answer.
	Hold chan struct{}

	mu    sync.Mutex
	calls []Call
}

type Call struct {
	RPC      string
	Metadata metadata.MD
	Left     time.Duration
}

func StartBackend(t *testing.T) *Backend {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &Backend{Address: listener.Addr().String(), Fail: map[string]error{}}
	server := grpc.NewServer(grpc.UnaryInterceptor(b.Unary), grpc.StreamInterceptor(b.stream))
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

func (b *Backend) record(ctx context.Context, rpc string) error {
	md, _ := metadata.FromIncomingContext(ctx)

	var left time.Duration
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}

	b.mu.Lock()
	b.calls = append(b.calls, Call{RPC: rpc, Metadata: md, Left: left})
	b.mu.Unlock()

	if b.Hold != nil {
		select {
		case <-b.Hold:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}

	return b.Fail[rpc]
}

func (b *Backend) Unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	// Health checks are the gateway's own business.
	if strings.HasPrefix(info.FullMethod, "/grpc.health") {
		return handler(ctx, req)
	}

	if err := b.record(ctx, info.FullMethod); err != nil {
		return nil, err
	}

	return handler(ctx, req)
}

func (b *Backend) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if strings.HasPrefix(info.FullMethod, "/grpc.health") {
		return handler(srv, ss)
	}

	if err := b.record(ss.Context(), info.FullMethod); err != nil {
		return err
	}

	return handler(srv, ss)
}

func (b *Backend) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()

	return len(b.calls)
}

// TakeCalls returns the calls so far and forgets them.
func (b *Backend) TakeCalls() []Call {
	b.mu.Lock()
	defer b.mu.Unlock()

	calls := b.calls
	b.calls = nil

	return calls
}

func (b *Backend) GetUser(_ context.Context, req *userv1.GetUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId()}, nil
}

func (b *Backend) UpdateUser(_ context.Context, req *userv1.UpdateUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId(), DisplayName: strings.Join(req.GetUpdateMask().GetPaths(), ",")}, nil
}

func (b *Backend) ListOrders(_ context.Context, req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	return &orderv1.ListOrdersResponse{Orders: []*orderv1.Order{{OrderId: "o1", UserId: req.GetUserId()}}}, nil
}

func (b *Backend) DeleteUser(context.Context, *userv1.DeleteUserRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (b *Backend) GetProfile(_ context.Context, req *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	return &profilev1.Profile{UserId: req.GetUserId()}, nil
}

func (b *Backend) CreateOrder(_ context.Context, req *orderv1.CreateOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{OrderId: "o1", Items: req.GetItems()}, nil
}

// WatchOrder answers with the two changes after those that the client has seen.
func (b *Backend) WatchOrder(req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	for i := range int64(2) {
		if err := stream.Send(&orderv1.WatchOrderResponse{OrderId: req.GetOrderId(), Sequence: req.GetAfterSequence() + i + 1}); err != nil {
			return err
		}
	}

	return nil
}

func (b *Backend) GetFeaturedShelf(context.Context, *shelfv1.GetFeaturedShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: "the featured one"}, nil
}

func (b *Backend) GetShelf(_ context.Context, req *shelfv1.GetShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: req.GetShelfId(), Title: req.GetRoomId()}, nil
}

func (b *Backend) MoveShelf(_ context.Context, req *shelfv1.MoveShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: req.GetShelfId(), Title: req.GetRoomId()}, nil
}

func (b *Backend) ListBooks(req *shelfv1.ListBooksRequest, stream grpc.ServerStreamingServer[shelfv1.ListBooksResponse]) error {
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

func (b *Backend) Echo(_ context.Context, req *shelfv1.EchoRequest) (*shelfv1.EchoResponse, error) {
	return &shelfv1.EchoResponse{Rest: req.GetRest(), Text: req.GetText()}, nil
}

// Site is a gateway behind a real listener, over one backend that plays all upstreams.
type Site struct {
	*Backend

	Compiled *bff.Compiled
	Gateway  *bff.Gateway
	URL      string
	Issuer   *devissuer.DevIssuer
	Logs     *LogBuffer
	// Client speaks another version of HTTP than 1.1. Nil: 1.1.
	Client *http.Client
	// StopBackend kills the backend of a mirror.
	StopBackend func()
}

// Start serves the product's services and the foreign ones. change may alter the configuration.
func Start(t *testing.T, change func(*config.Config), opts ...bff.Option) *Site {
	t.Helper()

	return StartIn(t.Context(), t, change, opts...)
}

// StartIn is Start with the hooks of a context.
func StartIn(ctx context.Context, t *testing.T, change func(*config.Config), opts ...bff.Option) *Site {
	t.Helper()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	s := &Site{Backend: StartBackend(t), Issuer: issuer, Logs: &LogBuffer{}}

	cfg := config.Config{
		Auth: config.Auth{Issuers: []config.Issuer{{
			Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: issuer.JWKSFile(),
		}}},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{s.Address}}},
	}

	for _, service := range gen.Services() {
		if !service.Composite {
			cfg.Upstreams[service.Upstream] = config.Upstream{Addresses: []string{s.Address}}
		}
	}

	if change != nil {
		change(&cfg)
	}

	document := sameAs(t, "product", cfg, opts...)

	opts = append([]bff.Option{
		bff.WithServices(gen.Services()...),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, dashboard.New),
		bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}}),
		bff.WithLogger(slog.New(slog.NewJSONHandler(s.Logs, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}, opts...)

	s.open(ctx, t, Compile(t, cfg, opts...), document)

	return s
}

// Serve serves a compiled gateway.
func Serve(t *testing.T, compiled *bff.Compiled) *Site {
	t.Helper()

	s := &Site{}
	s.open(t.Context(), t, compiled, "")

	return s
}

func (s *Site) open(ctx context.Context, t *testing.T, compiled *bff.Compiled, document string) {
	t.Helper()

	gw, err := compiled.Open(checkedContext(ctx, t, compiled, document))
	if err != nil {
		t.Fatal(err)
	}

	s.Compiled, s.Gateway, s.URL = compiled, gw, Listen(t, gw)
}

// Listen listens for the gateway and closes it at the end of the test.
func Listen(t *testing.T, gw *bff.Gateway) string {
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

// LogBuffer collects log lines.
type LogBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.Write(p)
}

func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.String()
}

func (s *Site) Token(t *testing.T, subject string, scopes ...string) string {
	t.Helper()

	token, err := s.Issuer.Token(subject, scopes, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	return token
}

// As returns the header of a caller.
func (s *Site) As(t *testing.T, subject string, scopes ...string) http.Header {
	t.Helper()

	return http.Header{"Authorization": {"Bearer " + s.Token(t, subject, scopes...)}}
}

// Response is a response that was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// Problem is the body as a problem document.
func (a Response) Problem(t *testing.T) map[string]any {
	t.Helper()

	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type is %q, not that of a problem; body %s", got, a.Body)
	}

	var doc map[string]any
	if err := json.Unmarshal([]byte(a.Body), &doc); err != nil {
		t.Fatalf("%v in %s", err, a.Body)
	}

	for _, field := range []string{"type", "title", "status", "code", "request_id", "instance"} {
		if doc[field] == nil || doc[field] == "" {
			t.Errorf("problem without %s: %s", field, a.Body)
		}
	}

	if got := doc["status"]; got != float64(a.Status) {
		t.Errorf("problem says status %v, the answer %d", got, a.Status)
	}

	return doc
}

// Do sends a request whose target is the path as it stands, whatever it contains.
func (s *Site) Do(t *testing.T, method, target string, header http.Header, body string) Response {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, strings.NewReader(body))
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

	client := s.Client
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

	return Response{Status: res.StatusCode, Header: res.Header, Body: string(text)}
}

// AnOrder is a body that the rules of CreateOrderRequest allow.
const AnOrder = `{"items":[{"sku":"s","title":"t","quantity":1,"unitPrice":{"currencyCode":"EUR","units":"1"}}]}`

// OrderFor is one for a user.
func OrderFor(userID string) string { return `{"userId":"` + userID + `",` + AnOrder[1:] }

func ReadLines(t *testing.T, file string) []string {
	t.Helper()

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func RPCs(calls []Call) []string {
	names := make([]string, 0, len(calls))
	for _, c := range calls {
		names = append(names, c.RPC)
	}

	slices.Sort(names)

	return names
}

// Eventually waits until the condition holds.
func Eventually(t *testing.T, what string, condition func() bool) {
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

func WithShelf() bff.Option {
	return bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService")
}

func Quiet() bff.Option { return bff.WithLogger(slog.New(slog.DiscardHandler)) }

// Compile is Compile of what is sound.
func Compile(t *testing.T, cfg config.Config, opts ...bff.Option) *bff.Compiled {
	t.Helper()

	compiled, err := bff.Compile(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}

	return compiled
}

func AdminGet(t *testing.T, gw *bff.Gateway, path string) Response {
	t.Helper()

	rec := httptest.NewRecorder()
	gw.Admin().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))

	return Response{Status: rec.Code, Header: rec.Header(), Body: rec.Body.String()}
}

// Service is one of the product's.
func Service(t *testing.T, name string) bff.Service {
	t.Helper()

	services := gen.Services()

	i := slices.IndexFunc(services, func(s bff.Service) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no service %s", name)
	}

	return services[i]
}

func Accept(mediaType string) http.Header { return http.Header{"Accept": {mediaType}} }

func NextLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()

	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("%q, %v", line, err)
	}

	return strings.TrimSuffix(line, "\n")
}
