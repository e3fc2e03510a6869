package traffic_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// While a backend fails it gets probes and nothing else; when it has healed, calls pass within a second of the breaker's time; and
// nobody else notices.
func TestBreakerSparesABackendThatFails(t *testing.T) {
	t.Parallel()

	const (
		openFor = time.Second
		failFor = 4 * time.Second
	)

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)

		u := c.Upstreams["order"]
		u.Breaker.OpenFor = openFor
		c.Upstreams["order"] = u
	})
	header, client := s.As(t, "alice"), gatewaytest.PlainClient(t)
	orders, users := gatewaytest.Request{Target: aliceAccount + "/orders", Header: header}, gatewaytest.Request{Target: aliceAccount, Header: header}

	b.FailWith(failing(gatewaytest.RPCListOrders, codes.Unavailable))

	gatewaytest.Eventually(t, "the breaker opening", func() bool {
		return strings.Contains(s.MustSend(t, client, orders).Header.Get("Retry-After"), "1") && opened(s)
	})

	b.TakeCalls()

	var (
		wait sync.WaitGroup
		mu   sync.Mutex
	)

	refusals, others := map[int]int{}, map[int]int{}
	start := time.Now()

	for n := range 6 {
		wait.Go(func() {
			q, statuses := orders, refusals
			if n == 0 {
				q, statuses = users, others
			}

			for time.Since(start) < failFor {
				res, err := s.Send(t.Context(), client, q)
				if err != nil {
					t.Error(err)

					return
				}

				mu.Lock()
				statuses[res.Status]++
				mu.Unlock()

				time.Sleep(2 * time.Millisecond)
			}
		})
	}

	wait.Wait()

	probes := int(time.Since(start)/openFor) + 1

	got := b.CountOf(gatewaytest.RPCListOrders)
	t.Logf("%d calls, at most %d probes; %v, others %v", got, probes, refusals, others)

	if got > probes || len(refusals) != 1 || refusals[http.StatusServiceUnavailable] == 0 {
		t.Errorf("%d calls where at most %d are probes; %v", got, probes, refusals)
	}

	if len(others) != 1 || others[http.StatusOK] == 0 {
		t.Errorf("another upstream: %v", others)
	}

	b.TakeCalls()
	b.Heal()

	healed := time.Now()

	gatewaytest.Eventually(t, "the breaker closing", func() bool { return s.MustSend(t, client, orders).Status == http.StatusOK })

	took := time.Since(healed)
	t.Logf("closed %s after healing", took)

	// Requests are sent all the time, so one that comes late was not let through.
	if calls := b.CountOf(gatewaytest.RPCListOrders); calls != 1 || took > openFor+20*time.Second {
		t.Errorf("closed %s after healing, by %d calls", took, calls)
	}

	for range 50 {
		if res := s.MustSend(t, client, orders); res.Status != http.StatusOK {
			t.Fatalf("after that: %d %s", res.Status, res.Body)
		}
	}
}

func opened(s *gatewaytest.Site) bool { return strings.Contains(s.Logs.String(), `"to":"open"`) }

// What is a client's fault, and who leaves or is in a hurry, opens no breaker.
func TestBreakerStaysClosedForWhatClientsDo(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, gatewaytest.Unlimited)
	header, client := s.As(t, "alice"), gatewaytest.PlainClient(t)
	q := gatewaytest.Request{Target: aliceAccount, Header: header}

	for _, code := range []codes.Code{
		codes.InvalidArgument, codes.NotFound, codes.Unauthenticated, codes.PermissionDenied, codes.AlreadyExists,
		codes.FailedPrecondition, codes.ResourceExhausted, codes.Internal,
	} {
		b.FailWith(failing(gatewaytest.RPCGetUser, code))
		b.TakeCalls()

		offer(t, s, client, 100, 8, func(int) gatewaytest.Request { return q })

		if got := b.CountOf(gatewaytest.RPCGetUser); got != 100 {
			t.Errorf("%s: %d calls reached the backend", code, got)
		}
	}

	b.FailWith(func(ctx context.Context, _ string) error {
		<-ctx.Done()

		return status.FromContextError(ctx.Err()).Err()
	})

	var wait sync.WaitGroup

	for n := range 30 {
		wait.Go(func() {
			if n%2 == 0 {
				hurried := header.Clone()
				hurried.Set("Grpc-Timeout", "100m")

				if res, err := s.Send(t.Context(), client, gatewaytest.Request{Target: aliceAccount, Header: hurried}); err != nil || res.Status != http.StatusGatewayTimeout {
					t.Errorf("in a hurry: %d %v", res.Status, err)
				}

				return
			}

			ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer leave()

			if _, err := s.Send(ctx, client, q); err == nil {
				t.Error("it did not leave")
			}
		})
	}

	wait.Wait()
	b.Heal()

	if res := s.MustSend(t, client, q); res.Status != http.StatusOK || opened(s) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// A method's own breaker is for that method alone.
func TestBreakerOfAMethod(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, getOrder, gatewaytest.Object{"breaker": gatewaytest.Object{"min_requests": 5, "open_for": "600s"}})

		u := c.Upstreams["order"]
		u.Breaker = config.Breaker{MinRequests: 1 << 30}
		c.Upstreams["order"] = u
	})
	header, client := s.As(t, "alice"), gatewaytest.PlainClient(t)

	b.FailWith(failing(gatewaytest.RPCGetOrder, codes.Unavailable))

	gatewaytest.Eventually(t, "the breaker opening", func() bool {
		return s.MustSend(t, client, gatewaytest.Request{Target: "/v1/orders/1", Header: header}).Header.Get("Retry-After") == "600"
	})

	b.TakeCalls()

	if res := s.MustSend(t, client, gatewaytest.Request{Target: "/v1/orders/1", Header: header}); res.Status != http.StatusServiceUnavailable || b.Count() != 0 {
		t.Errorf("%d, %d calls", res.Status, b.Count())
	}

	if res := s.MustSend(t, client, gatewaytest.Request{Target: aliceAccount + "/orders", Header: header}); res.Status != http.StatusOK {
		t.Errorf("another method: %d %s", res.Status, res.Body)
	}
}
