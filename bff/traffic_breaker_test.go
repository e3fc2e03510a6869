package bff_test

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
)

// While a backend fails it gets probes and nothing else; when it has healed, calls pass within a second of the breaker's time; and
// nobody else notices.
func TestBreakerSparesABackendThatFails(t *testing.T) {
	t.Parallel()

	const (
		openFor = time.Second
		failFor = 4 * time.Second
	)

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)

		u := c.Upstreams["order"]
		u.Breaker.OpenFor = openFor
		c.Upstreams["order"] = u
	})
	header, client := s.as(t, "alice"), plainClient(t)
	orders, users := inquiry{target: aliceAccount + "/orders", header: header}, inquiry{target: aliceAccount, header: header}

	b.becomes(failing(rpcListOrders, codes.Unavailable))

	eventually(t, "the breaker opening", func() bool {
		return strings.Contains(s.must(t, client, orders).header.Get("Retry-After"), "1") && opened(s)
	})

	b.taken()

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
				res, err := s.ask(t.Context(), client, q)
				if err != nil {
					t.Error(err)

					return
				}

				mu.Lock()
				statuses[res.status]++
				mu.Unlock()

				time.Sleep(2 * time.Millisecond)
			}
		})
	}

	wait.Wait()

	probes := int(time.Since(start)/openFor) + 1

	got := b.countOf(rpcListOrders)
	t.Logf("%d calls, at most %d probes; %v, others %v", got, probes, refusals, others)

	if got > probes || len(refusals) != 1 || refusals[http.StatusServiceUnavailable] == 0 {
		t.Errorf("%d calls where at most %d are probes; %v", got, probes, refusals)
	}

	if len(others) != 1 || others[http.StatusOK] == 0 {
		t.Errorf("another upstream: %v", others)
	}

	b.heal()

	healed := time.Now()

	eventually(t, "the breaker closing", func() bool { return s.must(t, client, orders).status == http.StatusOK })

	took := time.Since(healed)
	t.Logf("closed %s after healing", took)

	if took > openFor+time.Second {
		t.Errorf("closed %s after healing", took)
	}

	for range 50 {
		if res := s.must(t, client, orders); res.status != http.StatusOK {
			t.Fatalf("after that: %d %s", res.status, res.body)
		}
	}
}

func opened(s *site) bool { return strings.Contains(s.logs.String(), `"to":"open"`) }

// What is a client's fault, and who leaves or is in a hurry, opens no breaker.
func TestBreakerStaysClosedForWhatClientsDo(t *testing.T) {
	t.Parallel()

	s, b := startTroubledSite(t, unlimited)
	header, client := s.as(t, "alice"), plainClient(t)
	q := inquiry{target: aliceAccount, header: header}

	for _, code := range []codes.Code{
		codes.InvalidArgument, codes.NotFound, codes.Unauthenticated, codes.PermissionDenied, codes.AlreadyExists,
		codes.FailedPrecondition, codes.ResourceExhausted, codes.Internal,
	} {
		b.becomes(failing(rpcGetUser, code))
		b.taken()

		offer(t, s, client, 100, 8, func(int) inquiry { return q })

		if got := b.countOf(rpcGetUser); got != 100 {
			t.Errorf("%s: %d calls reached the backend", code, got)
		}
	}

	b.becomes(func(ctx context.Context, _ string) error {
		<-ctx.Done()

		return status.FromContextError(ctx.Err()).Err()
	})

	var wait sync.WaitGroup

	for n := range 30 {
		wait.Go(func() {
			if n%2 == 0 {
				hurried := header.Clone()
				hurried.Set("Grpc-Timeout", "100m")

				if res, err := s.ask(t.Context(), client, inquiry{target: aliceAccount, header: hurried}); err != nil || res.status != http.StatusGatewayTimeout {
					t.Errorf("in a hurry: %d %v", res.status, err)
				}

				return
			}

			ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer leave()

			if _, err := s.ask(ctx, client, q); err == nil {
				t.Error("it did not leave")
			}
		})
	}

	wait.Wait()
	b.heal()

	if res := s.must(t, client, q); res.status != http.StatusOK || opened(s) {
		t.Errorf("%d %s", res.status, res.body)
	}
}

// A method's own breaker is for that method alone.
func TestBreakerOfAMethod(t *testing.T) {
	t.Parallel()

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		setPolicy(c, getOrder, object{"breaker": object{"min_requests": 5, "open_for": "600s"}})

		u := c.Upstreams["order"]
		u.Breaker = config.Breaker{MinRequests: 1 << 30}
		c.Upstreams["order"] = u
	})
	header, client := s.as(t, "alice"), plainClient(t)

	b.becomes(failing(rpcGetOrder, codes.Unavailable))

	eventually(t, "the breaker opening", func() bool {
		return s.must(t, client, inquiry{target: "/v1/orders/1", header: header}).header.Get("Retry-After") == "600"
	})

	b.taken()

	if res := s.must(t, client, inquiry{target: "/v1/orders/1", header: header}); res.status != http.StatusServiceUnavailable || b.count() != 0 {
		t.Errorf("%d, %d calls", res.status, b.count())
	}

	if res := s.must(t, client, inquiry{target: aliceAccount + "/orders", header: header}); res.status != http.StatusOK {
		t.Errorf("another method: %d %s", res.status, res.body)
	}
}
