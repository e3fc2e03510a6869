package traffic_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// startOver starts a gateway whose user service has three addresses.
func startOver(t *testing.T, change func(u *config.Upstream)) (*gatewaytest.Site, []*gatewaytest.FlakyBackend) {
	t.Helper()

	backends := make([]*gatewaytest.FlakyBackend, 0, 3)
	user := config.Upstream{Breaker: config.Breaker{MinRequests: 1e6}, Ejection: config.Ejection{Time: time.Hour}}

	for range cap(backends) {
		b := gatewaytest.StartFlakyBackend(t)
		backends = append(backends, b)
		user.Addresses = append(user.Addresses, b.Address)
	}

	change(&user)

	s := gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)

		c.Upstreams["user"] = user
	})

	return s, backends
}

// replies returns a fault that ends all calls with a code.
func replies(code codes.Code) gatewaytest.Fault {
	return func(context.Context, string) error { return status.Error(code, code.String()) }
}

// reachAll waits until requests have reached all backends.
func reachAll(t *testing.T, s *gatewaytest.Site, client *http.Client, q gatewaytest.Request, backends []*gatewaytest.FlakyBackend) {
	t.Helper()

	for _, b := range backends {
		b.TakeCalls()
	}

	gatewaytest.Eventually(t, "requests at all backends", func() bool {
		s.MustSend(t, client, q)

		for _, b := range backends {
			if b.Count() == 0 {
				return false
			}
		}

		return true
	})
}

// A third of the requests got 429 for good, although two of three backends had time for them.
func TestBackendThatRefusesEverythingIsLeftOut(t *testing.T) {
	t.Parallel()

	s, backends := startOver(t, func(*config.Upstream) {})
	client, q := gatewaytest.PlainClient(t), gatewaytest.Request{Target: aliceAccount, Header: s.As(t, "alice")}

	reachAll(t, s, client, q, backends)
	backends[0].FailWith(replies(codes.ResourceExhausted))

	gatewaytest.Eventually(t, "thirty successes in a row", func() bool {
		for range 30 {
			if s.MustSend(t, client, q).Status != http.StatusOK {
				return false
			}
		}

		return true
	})
}

// A limit that all backends enforce alike is no reason to serve it with fewer of them.
func TestBackendsThatAllRefuseStayInUse(t *testing.T) {
	t.Parallel()

	s, backends := startOver(t, func(*config.Upstream) {})
	client, q := gatewaytest.PlainClient(t), gatewaytest.Request{Target: aliceAccount, Header: s.As(t, "alice")}

	reachAll(t, s, client, q, backends)

	for _, b := range backends {
		b.FailWith(replies(codes.ResourceExhausted))
	}

	for range 150 {
		if res := s.MustSend(t, client, q); res.Status != http.StatusTooManyRequests {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}

	for _, b := range backends {
		b.Heal()
	}

	// Each of them would be left out for an hour.
	reachAll(t, s, client, q, backends)
}

// Of two attempts that both went to the failing backend, the client saw the failure.
func TestRetryGoesToAnotherBackend(t *testing.T) {
	t.Parallel()

	s, backends := startOver(t, func(u *config.Upstream) {
		u.Balancing = config.LeastRequest
		u.Ejection.Disabled = true
	})
	client, q := gatewaytest.PlainClient(t), gatewaytest.Request{Target: aliceAccount, Header: s.As(t, "alice")}

	reachAll(t, s, client, q, backends)

	// A read has three attempts.
	backends[0].FailWith(replies(codes.Unavailable))
	backends[1].FailWith(replies(codes.Unavailable))

	// gRPC permits about fifty retries at once.
	got := offer(t, s, client, 20, 4, func(int) gatewaytest.Request { return q })
	if got[http.StatusOK] != 20 {
		t.Errorf("the statuses are %v", got)
	}
}
