package runbook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// backend is one whose calls can be made to fail or to wait.
type backend struct {
	address string
	stop    func()
	failing atomic.Bool
	// holding makes calls wait until release is closed. Each sends to held first.
	holding       atomic.Bool
	held, release chan struct{}
}

func startBackend(t *testing.T) *backend {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &backend{address: listener.Addr().String(), held: make(chan struct{}), release: make(chan struct{})}
	services := &gatewaytest.Backend{}
	server := grpc.NewServer(grpc.UnaryInterceptor(b.intercept))
	userv1.RegisterUserServiceServer(server, services)
	orderv1.RegisterOrderServiceServer(server, services)
	paymentv1.RegisterPaymentServiceServer(server, services)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	b.stop = server.Stop
	t.Cleanup(server.Stop)

	return b
}

func (b *backend) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	switch {
	case strings.HasPrefix(info.FullMethod, "/grpc.health"):
	case b.failing.Load():
		return nil, status.Error(codes.Unavailable, "the disk is full")
	case b.holding.Load():
		b.held <- struct{}{}
		<-b.release
	}

	return next(ctx, req)
}

// drill is a gateway, and what can go wrong with it.
type drill struct {
	*gatewaytest.Site

	user, order, payment *backend
	redis                *redistest.Server
	keyFile              string
	droppedLines         atomic.Uint64
}

// startDrill starts a gateway on which everything is well, but for what begins to be wrong before a gateway does: its certificate
// expires in an hour, and an issuer and the OpenID provider do not answer.
func startDrill(t *testing.T) *drill {
	t.Helper()

	dir := t.TempDir()
	d := &drill{
		user: startBackend(t), order: startBackend(t), payment: startBackend(t), redis: redistest.Start(t),
		keyFile: filepath.Join(dir, "keys.yaml"),
	}
	d.writeKeys(t, "keys: []\n")

	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	tlstest.NewCA(t).Issue(t, certFile, keyFile, "gateway", "")

	d.Site = gatewaytest.Start(t, func(c *config.Config) {
		c.Server.TLS.CertFile, c.Server.TLS.KeyFile = certFile, keyFile
		c.Auth.APIKeys.File, c.Auth.APIKeys.ReloadInterval = d.keyFile, 10*time.Millisecond
		c.Auth.Issuers = append(c.Auth.Issuers, config.Issuer{
			Issuer: "https://down.example.com", Audiences: []string{"a"}, JWKSURL: "http://127.0.0.1:1/keys",
		})
		c.Auth.Sessions = config.Sessions{
			Issuer: "http://127.0.0.1:1", ClientID: "portico", Identity: config.IdentityIDToken, PublicURL: "https://app.example.com",
			Keys: []string{base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))},
		}
		c.Redis.URL = d.redis.URL()
		// On a busy machine a reply may come late while all is well.
		c.Redis.Timeout = 10 * time.Second
		c.Overload.MaxInFlight = 1
		d.configureUpstreams(c)
		c.Policies = []config.Policy{
			{Selector: "user.v1.UserService.GetUser", Set: map[string]any{"rate_limits": []any{
				map[string]any{"name": "reads", "requests": 3, "per": "3600s"},
			}}},
			{Selector: "payment.v1.PaymentService.GetPayment", Set: map[string]any{"timeout": "60s"}},
		}
	}, bff.WithDroppedLogLines(d.droppedLines.Load))

	return d
}

func (d *drill) configureUpstreams(c *config.Config) {
	user := c.Upstreams["user"]
	user.Addresses = append(user.Addresses, d.user.address)
	c.Upstreams["user"] = user

	order := gatewaytest.Upstream(d.order.address)
	order.Breaker = config.Breaker{MinRequests: 3, OpenFor: time.Hour}
	c.Upstreams["order"] = order

	payment := gatewaytest.Upstream(d.payment.address)
	payment.Concurrency = config.Concurrency{Min: 1, Max: 1, Initial: 1}
	c.Upstreams["payment"] = payment
}

// writeKeys puts the text in place of the file of API keys.
func (d *drill) writeKeys(t *testing.T, text string) {
	t.Helper()

	next := d.keyFile + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	if err := os.Rename(next, d.keyFile); err != nil {
		t.Fatal(err)
	}
}

// get sends a request, and returns the status of the response.
func (d *drill) get(t *testing.T, subject, path string) int {
	t.Helper()

	return d.Do(t, http.MethodGet, path, d.As(t, subject), "").Status
}

// wellTraffic are requests that all succeed.
func (d *drill) wellTraffic(t *testing.T) {
	t.Helper()

	for _, path := range []string{"/v1/users/ada/orders", "/v1/users/ada/profile", "/v1/me/dashboard"} {
		if got := d.get(t, "ada", path); got != http.StatusOK {
			t.Fatalf("%s: %d", path, got)
		}
	}
}

// breakThings makes everything go wrong.
func (d *drill) breakThings(t *testing.T) {
	t.Helper()

	d.user.stop()
	d.order.failing.Store(true)
	d.redis.Stop()
	d.writeKeys(t, "keys: [\n")

	if err := d.Gateway.Reload(t.Context(), config.Config{Log: config.Log{Level: "loud"}}); err == nil {
		t.Error("a configuration without upstreams is accepted")
	}

	gatewaytest.Eventually(t, "what is wrong being shown", func() bool {
		// Addresses are connected when there are calls.
		d.get(t, "ada", "/nowhere")

		metrics := gatewaytest.AdminGet(t, d.Gateway, "/metrics").Body

		return strings.Contains(metrics, `portico_upstream_address_state{address="`+d.user.address+`",state="failing",upstream="user"} 1`) &&
			strings.Contains(metrics, `portico_file_state{setting="auth.api_keys.file"} 2`)
	})
}

// badTraffic are requests that meet everything that is wrong.
func (d *drill) badTraffic(t *testing.T) {
	t.Helper()

	for range 5 {
		for path, want := range map[string]int{
			"/v1/users/ada/orders": http.StatusServiceUnavailable, "/nowhere": http.StatusNotFound,
			"/auth/login": http.StatusServiceUnavailable, "/auth/callback?state=x": http.StatusBadRequest,
		} {
			if got := d.get(t, "ada", path); got != want {
				t.Errorf("%s: %d", path, got)
			}
		}

		d.get(t, "bob", "/v1/users/bob")
	}

	if got := d.get(t, "bob", "/v1/users/bob"); got != http.StatusTooManyRequests {
		t.Errorf("the fourth request in an hour: %d", got)
	}

	if got := d.get(t, "ada", "/v1/me/dashboard"); got != http.StatusOK {
		t.Errorf("a dashboard without orders: %d", got)
	}

	d.droppedLines.Add(7)
}

// whileFull calls f while a request takes the only slot of the gateway, and others are refused.
func (d *drill) whileFull(t *testing.T, f func()) {
	t.Helper()

	d.payment.release = make(chan struct{})
	d.payment.holding.Store(true)

	ended := make(chan int)
	go func() { ended <- d.get(t, "ada", "/v1/payments/p1") }()

	<-d.payment.held

	for range 3 {
		if got := d.get(t, "ada", "/v1/payments/p2"); got != http.StatusServiceUnavailable {
			t.Errorf("beside another request: %d", got)
		}
	}

	f()

	d.payment.holding.Store(false)
	close(d.payment.release)
	<-ended
}
