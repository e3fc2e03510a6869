package gatewaytest

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// Full names of the methods whose traffic is looked at.
const (
	RPCGetUser     = "/user.v1.UserService/GetUser"
	RPCUpdateUser  = "/user.v1.UserService/UpdateUser"
	RPCGetProfile  = "/profile.v1.ProfileService/GetProfile"
	RPCGetOrder    = "/order.v1.OrderService/GetOrder"
	RPCListOrders  = "/order.v1.OrderService/ListOrders"
	RPCCreateOrder = "/order.v1.OrderService/CreateOrder"
)

// Fault ends a call in place of the backend; nil leaves it to the backend. It must be safe for concurrent use.
type Fault func(ctx context.Context, rpc string) error

// FlakyBackend is a backend that fails, heals and dies while it is called. It says who it thinks has called, and keeps one profile.
type FlakyBackend struct {
	*Backend

	fault atomic.Pointer[Fault]
	Bio   atomic.Pointer[string]
	Stop  func()
}

// StartFlakyBackend starts one that is healthy.
func StartFlakyBackend(t *testing.T) *FlakyBackend {
	t.Helper()

	return StartFlakyBackendAt(t, "127.0.0.1:0")
}

// StartFlakyBackendAt starts one on an address.
func StartFlakyBackendAt(t *testing.T, address string) *FlakyBackend {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}

	b := &FlakyBackend{Backend: &Backend{Address: listener.Addr().String()}}
	b.Heal()

	server := grpc.NewServer(grpc.UnaryInterceptor(b.unary))
	userv1.RegisterUserServiceServer(server, b)
	orderv1.RegisterOrderServiceServer(server, b)
	profilev1.RegisterProfileServiceServer(server, b)
	paymentv1.RegisterPaymentServiceServer(server, b)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	b.Stop = server.Stop
	t.Cleanup(server.Stop)

	return b
}

func (b *FlakyBackend) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if strings.HasPrefix(info.FullMethod, "/grpc.health") {
		return handler(ctx, req)
	}

	if err := b.record(ctx, info.FullMethod); err != nil {
		return nil, err
	}

	if err := (*b.fault.Load())(ctx, info.FullMethod); err != nil {
		return nil, err
	}

	return handler(ctx, req)
}

// FailWith ends calls from now on as the fault says.
func (b *FlakyBackend) FailWith(tr Fault) { b.fault.Store(&tr) }

// Heal ends the fault.
func (b *FlakyBackend) Heal() { b.FailWith(func(context.Context, string) error { return nil }) }

// CountOf is how many calls of a method there were.
func (b *FlakyBackend) CountOf(rpc string) int {
	b.mu.Lock()
	defer b.mu.Unlock()

	n := 0

	for _, c := range b.calls {
		if c.RPC == rpc {
			n++
		}
	}

	return n
}

// metadataOf is what the gateway says about the caller.
func metadataOf(ctx context.Context, name string) string {
	md, _ := metadata.FromIncomingContext(ctx)

	return strings.Join(md.Get(name), ",")
}

// GetOrder returns who has called, as the gateway says.
func (b *FlakyBackend) GetOrder(ctx context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{
		OrderId: req.GetOrderId(), UserId: metadataOf(ctx, "x-portico-subject"),
		Labels: map[string]string{"tenant": metadataOf(ctx, "x-portico-tenant"), "language": metadataOf(ctx, "accept-language")},
	}, nil
}

// GetPayment returns who has called, as the gateway says.
func (b *FlakyBackend) GetPayment(ctx context.Context, req *paymentv1.GetPaymentRequest) (*paymentv1.Payment, error) {
	return &paymentv1.Payment{
		PaymentId: req.GetPaymentId(), UserId: metadataOf(ctx, "x-portico-subject"),
		OrderId: metadataOf(ctx, "accept-language") + "/" + metadataOf(ctx, "x-portico-tenant"),
	}, nil
}

// GetProfile returns the profile that was last set.
func (b *FlakyBackend) GetProfile(_ context.Context, req *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	out := &profilev1.Profile{UserId: req.GetUserId()}
	if bio := b.Bio.Load(); bio != nil {
		out.Bio = *bio
	}

	return out, nil
}

// UpdateProfile sets the profile.
func (b *FlakyBackend) UpdateProfile(_ context.Context, req *profilev1.UpdateProfileRequest) (*profilev1.Profile, error) {
	bio := req.GetProfile().GetBio()
	b.Bio.Store(&bio)

	return &profilev1.Profile{UserId: req.GetUserId(), Bio: bio}, nil
}

// SetPolicy overrides what the schema says of a method, or with "*" of all.
func SetPolicy(c *config.Config, selector string, set map[string]any) {
	c.Policies = append(c.Policies, config.Policy{Selector: selector, Set: set})
}

// Object is one as JSON has it.
type Object = map[string]any

// Unlimited lets tests send as much as they like.
func Unlimited(c *config.Config) {
	c.Limits.Client = config.Rate{Requests: 1e6, Burst: 1e6}
	SetPolicy(c, "*", Object{"rate_limits": []any{Object{"requests": 1e6}}})
}

// Patient gives requests and their calls all the time that a busy machine may need, and makes no second call beside a slow one.
func Patient(c *config.Config) {
	SetPolicy(c, "*", Object{"timeout": "120s"})
	SetPolicy(c, "profile.v1.ProfileService.GetProfile", Object{"retry": Object{"max_attempts": 1}})
}

// StartFlaky serves the product over a troubled backend. The rate limits are the schema's unless change lifts them.
func StartFlaky(t *testing.T, change func(*config.Config), opts ...bff.Option) (*Site, *FlakyBackend) {
	t.Helper()

	b := StartFlakyBackend(t)
	s := Start(t, func(c *config.Config) { overBackend(c, b, change) }, opts...)
	s.Backend = b.Backend

	return s, b
}

// startTwin starts another gateway over the same backend, for the same callers.
func startTwin(t *testing.T, first *Site, b *FlakyBackend, change func(*config.Config)) *Site {
	t.Helper()

	s := Start(t, func(c *config.Config) {
		c.Auth.Issuers[0].JWKSFile = first.Issuer.JWKSFile()

		overBackend(c, b, change)
	})
	s.Backend, s.Issuer = b.Backend, first.Issuer

	return s
}

// StartTwins starts two gateways that are configured the same.
func StartTwins(t *testing.T, change func(*config.Config)) ([2]*Site, *FlakyBackend) {
	t.Helper()

	first, b := StartFlaky(t, change)

	return [2]*Site{first, startTwin(t, first, b, change)}, b
}

func overBackend(c *config.Config, b *FlakyBackend, change func(*config.Config)) {
	for name, u := range c.Upstreams {
		u.Addresses = []string{b.Address}
		c.Upstreams[name] = u
	}

	if change != nil {
		change(c)
	}
}

// Request is a request that is sent as it is: without the Accept-Encoding of Go's client, and with any Host.
type Request struct {
	Method, Target, Host, Body string
	Header                     http.Header
}

// PlainClient sends what it is told to and nothing more.
func PlainClient(t *testing.T) *http.Client {
	t.Helper()

	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 200}
	t.Cleanup(transport.CloseIdleConnections)

	return &http.Client{Transport: transport}
}

// Send is safe to use by many goroutines.
func (s *Site) Send(ctx context.Context, client *http.Client, i Request) (Response, error) {
	method := i.Method
	if method == "" {
		method = http.MethodGet
	}

	req, err := http.NewRequestWithContext(ctx, method, s.URL+i.Target, strings.NewReader(i.Body))
	if err != nil {
		return Response{}, err
	}

	if req.Host = i.Host; i.Header != nil {
		req.Header = i.Header.Clone()
	}

	if i.Body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}

	res, err := client.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)

	return Response{Status: res.StatusCode, Header: res.Header, Body: string(text)}, err
}

// MustSend is ask for tests that cannot go on without an answer.
func (s *Site) MustSend(t *testing.T, client *http.Client, i Request) Response {
	t.Helper()

	res, err := s.Send(t.Context(), client, i)
	if err != nil {
		t.Fatalf("%s %s: %v", i.Method, i.Target, err)
	}

	return res
}
