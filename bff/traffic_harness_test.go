package bff_test

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
	rpcGetUser    = "/user.v1.UserService/GetUser"
	rpcUpdateUser = "/user.v1.UserService/UpdateUser"
	rpcGetProfile = "/profile.v1.ProfileService/GetProfile"
	rpcGetOrder   = "/order.v1.OrderService/GetOrder"
	rpcListOrders = "/order.v1.OrderService/ListOrders"
	rpcNewOrder   = "/order.v1.OrderService/CreateOrder"
)

// trouble ends a call in place of the backend; nil leaves it to the backend. It must be safe for concurrent use.
type trouble func(ctx context.Context, rpc string) error

// troubled is a backend that fails, heals and dies while it is called. It says who it thinks has called, and keeps one profile.
type troubled struct {
	*backend

	trouble atomic.Pointer[trouble]
	bio     atomic.Pointer[string]
	stop    func()
}

func startTroubled(t *testing.T) *troubled {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &troubled{backend: &backend{address: listener.Addr().String()}}
	b.heal()

	server := grpc.NewServer(grpc.UnaryInterceptor(b.unary))
	userv1.RegisterUserServiceServer(server, b)
	orderv1.RegisterOrderServiceServer(server, b)
	profilev1.RegisterProfileServiceServer(server, b)
	paymentv1.RegisterPaymentServiceServer(server, b)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	b.stop = server.Stop
	t.Cleanup(server.Stop)

	return b
}

func (b *troubled) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if strings.HasPrefix(info.FullMethod, "/grpc.health") {
		return handler(ctx, req)
	}

	if err := b.note(ctx, info.FullMethod); err != nil {
		return nil, err
	}

	if err := (*b.trouble.Load())(ctx, info.FullMethod); err != nil {
		return nil, err
	}

	return handler(ctx, req)
}

func (b *troubled) becomes(tr trouble) { b.trouble.Store(&tr) }

func (b *troubled) heal() { b.becomes(func(context.Context, string) error { return nil }) }

// countOf is how many calls of a method there were.
func (b *troubled) countOf(rpc string) int {
	b.mu.Lock()
	defer b.mu.Unlock()

	n := 0

	for _, c := range b.calls {
		if c.rpc == rpc {
			n++
		}
	}

	return n
}

// said is what the gateway says about the caller.
func said(ctx context.Context, name string) string {
	md, _ := metadata.FromIncomingContext(ctx)

	return strings.Join(md.Get(name), ",")
}

func (b *troubled) GetOrder(ctx context.Context, req *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{
		OrderId: req.GetOrderId(), UserId: said(ctx, "x-portico-subject"),
		Labels: map[string]string{"tenant": said(ctx, "x-portico-tenant"), "language": said(ctx, "accept-language")},
	}, nil
}

func (b *troubled) GetPayment(ctx context.Context, req *paymentv1.GetPaymentRequest) (*paymentv1.Payment, error) {
	return &paymentv1.Payment{
		PaymentId: req.GetPaymentId(), UserId: said(ctx, "x-portico-subject"),
		OrderId: said(ctx, "accept-language") + "/" + said(ctx, "x-portico-tenant"),
	}, nil
}

func (b *troubled) GetProfile(_ context.Context, req *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	out := &profilev1.Profile{UserId: req.GetUserId()}
	if bio := b.bio.Load(); bio != nil {
		out.Bio = *bio
	}

	return out, nil
}

func (b *troubled) UpdateProfile(_ context.Context, req *profilev1.UpdateProfileRequest) (*profilev1.Profile, error) {
	bio := req.GetProfile().GetBio()
	b.bio.Store(&bio)

	return &profilev1.Profile{UserId: req.GetUserId(), Bio: bio}, nil
}

// setPolicy overrides what the schema says of a method, or with "*" of all.
func setPolicy(c *config.Config, selector string, set map[string]any) {
	c.Policies = append(c.Policies, config.Policy{Selector: selector, Set: set})
}

// object is one as JSON has it.
type object = map[string]any

// unlimited lets tests send as much as they like.
func unlimited(c *config.Config) {
	c.Limits.Client = config.Rate{Requests: 1e6, Burst: 1e6}
	setPolicy(c, "*", object{"rate_limits": []any{object{"requests": 1e6}}})
}

// startTroubledSite serves the product over a troubled backend. The rate limits are the schema's unless change lifts them.
func startTroubledSite(t *testing.T, change func(*config.Config), opts ...bff.Option) (*site, *troubled) {
	t.Helper()

	b := startTroubled(t)
	s := startSite(t, func(c *config.Config) { over(c, b, change) }, opts...)
	s.backend = b.backend

	return s, b
}

// startTwin starts another gateway over the same backend, for the same callers.
func startTwin(t *testing.T, first *site, b *troubled, change func(*config.Config)) *site {
	t.Helper()

	s := startSite(t, func(c *config.Config) {
		c.Auth.Issuers[0].JWKSFile = first.issuer.JWKSFile()

		over(c, b, change)
	})
	s.backend, s.issuer = b.backend, first.issuer

	return s
}

// startTwins starts two gateways that are configured the same.
func startTwins(t *testing.T, change func(*config.Config)) ([2]*site, *troubled) {
	t.Helper()

	first, b := startTroubledSite(t, change)

	return [2]*site{first, startTwin(t, first, b, change)}, b
}

func over(c *config.Config, b *troubled, change func(*config.Config)) {
	for name, u := range c.Upstreams {
		u.Addresses = []string{b.address}
		c.Upstreams[name] = u
	}

	if change != nil {
		change(c)
	}
}

// inquiry is a request that is sent as it is: without the Accept-Encoding of Go's client, and with any Host.
type inquiry struct {
	method, target, host, body string
	header                     http.Header
}

// plainClient sends what it is told to and nothing more.
func plainClient(t *testing.T) *http.Client {
	t.Helper()

	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 200}
	t.Cleanup(transport.CloseIdleConnections)

	return &http.Client{Transport: transport}
}

// ask is safe to use by many goroutines.
func (s *site) ask(ctx context.Context, client *http.Client, i inquiry) (answer, error) {
	method := i.method
	if method == "" {
		method = http.MethodGet
	}

	req, err := http.NewRequestWithContext(ctx, method, s.url+i.target, strings.NewReader(i.body))
	if err != nil {
		return answer{}, err
	}

	if req.Host = i.host; i.header != nil {
		req.Header = i.header.Clone()
	}

	if i.body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}

	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)

	return answer{status: res.StatusCode, header: res.Header, body: string(text)}, err
}

// must is ask for tests that cannot go on without an answer.
func (s *site) must(t *testing.T, client *http.Client, i inquiry) answer {
	t.Helper()

	res, err := s.ask(t.Context(), client, i)
	if err != nil {
		t.Fatalf("%s %s: %v", i.method, i.target, err)
	}

	return res
}
