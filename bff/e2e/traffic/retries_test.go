package traffic_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// failsFirst lets the first calls fail.
func failsFirst(calls int64) gatewaytest.Fault {
	var made atomic.Int64

	return func(context.Context, string) error {
		if made.Add(1) <= calls {
			return status.Error(codes.Unavailable, "not yet")
		}

		return nil
	}
}

// Calls are made again where the schema says that this is safe, and nowhere else.
func TestRetriesWhereTheyAreSafe(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, gatewaytest.Unlimited)
	client := gatewaytest.PlainClient(t)

	keyed := s.As(t, "alice")
	keyed.Set("Idempotency-Key", "k1")

	for _, row := range []struct {
		name     string
		q        gatewaytest.Request
		rpc      string
		failures int64
		status   int
		attempts int
	}{
		{"read", gatewaytest.Request{Target: aliceAccount, Header: s.As(t, "alice")}, gatewaytest.RPCGetUser, 2, http.StatusOK, 3},
		{"read_too_often", gatewaytest.Request{Target: aliceAccount, Header: s.As(t, "alice")}, gatewaytest.RPCGetUser, 9, http.StatusServiceUnavailable, 3},
		{"write", gatewaytest.Request{Method: http.MethodPost, Target: "/v1/orders", Body: gatewaytest.AnOrder, Header: s.As(t, "alice")}, gatewaytest.RPCCreateOrder, 1, http.StatusServiceUnavailable, 1},
		{"write_with_key", gatewaytest.Request{Method: http.MethodPost, Target: "/v1/orders", Body: gatewaytest.AnOrder, Header: keyed}, gatewaytest.RPCCreateOrder, 1, http.StatusCreated, 2},
		{
			"change",
			gatewaytest.Request{Method: http.MethodPatch, Target: aliceAccount, Body: `{"displayName":"a"}`, Header: s.As(t, "alice")},
			gatewaytest.RPCUpdateUser, 1, http.StatusServiceUnavailable, 1,
		},
	} {
		b.TakeCalls()
		b.FailWith(failsFirst(row.failures))

		res := s.MustSend(t, client, row.q)
		if got := b.CountOf(row.rpc); res.Status != row.status || got != row.attempts {
			t.Errorf("%s: %d after %d attempts, want %d after %d: %s", row.name, res.Status, got, row.status, row.attempts, res.Body)
		}
	}

	// They are attempts at one thing.
	b.TakeCalls()
	b.FailWith(failsFirst(1))
	keyed.Set("Idempotency-Key", "k2")

	if res := s.MustSend(t, client, gatewaytest.Request{Method: http.MethodPost, Target: "/v1/orders", Body: gatewaytest.AnOrder, Header: keyed}); res.Status != http.StatusCreated {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	calls := b.TakeCalls()
	if len(calls) != 2 || calls[0].Metadata.Get("x-request-id")[0] != calls[1].Metadata.Get("x-request-id")[0] {
		t.Errorf("%v", calls)
	}
}

// offer sends requests, so many at a time, and counts the answers by status.
func offer(t *testing.T, s *gatewaytest.Site, client *http.Client, requests, atOnce int, q func(n int) gatewaytest.Request) map[int]int {
	t.Helper()

	var (
		wait sync.WaitGroup
		next atomic.Int64
		mu   sync.Mutex
	)

	statuses := map[int]int{}

	for range atOnce {
		wait.Go(func() {
			for n := int(next.Add(1)) - 1; n < requests; n = int(next.Add(1)) - 1 {
				res, err := s.Send(t.Context(), client, q(n))
				if err != nil {
					t.Error(err)

					return
				}

				mu.Lock()
				statuses[res.Status]++
				mu.Unlock()
			}
		})
	}

	wait.Wait()

	return statuses
}

// A backend that fails gets at most a fifth more calls than there are requests, with the help of the breaker and without.
func TestRetriesAreBounded(t *testing.T) {
	t.Parallel()

	const requests = 1500 / gatewaytest.Slowdown

	for name, breaker := range map[string]config.Breaker{"breaker": {}, "no_breaker": {MinRequests: 1 << 30}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
				gatewaytest.Unlimited(c)

				u := c.Upstreams["user"]
				u.Breaker = breaker
				c.Upstreams["user"] = u
			})
			header := s.As(t, "alice")

			b.FailWith(failing(gatewaytest.RPCGetUser, codes.Unavailable))

			statuses := offer(t, s, gatewaytest.PlainClient(t), requests, 16, func(int) gatewaytest.Request {
				return gatewaytest.Request{Target: aliceAccount, Header: header}
			})

			got := b.CountOf(gatewaytest.RPCGetUser)
			t.Logf("%d calls for %d requests; %v", got, requests, statuses)

			if got > requests*12/10 || statuses[http.StatusServiceUnavailable] != requests {
				t.Errorf("%d calls for %d requests; %v", got, requests, statuses)
			}
		})
	}
}

// Also where reads are hedged, and not every call fails.
func TestHedgesAndRetriesTogetherAreBounded(t *testing.T) {
	t.Parallel()

	const requests = 900 / gatewaytest.Slowdown

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, getProfile, gatewaytest.Object{"retry": gatewaytest.Object{"max_attempts": 3, "hedge_after": "0.005s"}, "cache": gatewaytest.Object{}})

		u := c.Upstreams["profile"]
		u.Breaker = config.Breaker{MinRequests: 1 << 30}
		u.Concurrency = config.Concurrency{Disabled: true}
		c.Upstreams["profile"] = u
	})

	var calls atomic.Int64

	b.FailWith(func(context.Context, string) error {
		time.Sleep(10 * time.Millisecond)

		if calls.Add(1)%3 == 0 {
			return status.Error(codes.Unavailable, "now and then")
		}

		return nil
	})

	admin := s.As(t, "root", "users:admin")
	statuses := offer(t, s, gatewaytest.PlainClient(t), requests, 16, func(n int) gatewaytest.Request {
		return gatewaytest.Request{Target: "/v1/users/u" + strconv.Itoa(n) + "/profile", Header: admin}
	})

	got := b.CountOf(gatewaytest.RPCGetProfile)
	t.Logf("%d calls for %d requests; %v", got, requests, statuses)

	// What may be saved up comes on top: 50 retries of gRPC, and 50 hedges and retries of the gateway.
	if got > requests*12/10+100 {
		t.Errorf("%d calls for %d requests; %v", got, requests, statuses)
	}
}

// An answer that comes just when the second call begins is the answer, and nobody writes it while another reads it.
func TestHedgesThatBeginWithTheAnswer(t *testing.T) {
	t.Parallel()

	const (
		requests = 400
		after    = 4 * time.Millisecond
	)

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, getProfile, gatewaytest.Object{"retry": gatewaytest.Object{"max_attempts": 1, "hedge_after": "0.004s"}, "cache": gatewaytest.Object{}})
	})

	b.FailWith(func(context.Context, string) error {
		time.Sleep(after - time.Duration(rand.Int64N(int64(after/4))))

		return nil
	})

	admin := s.As(t, "root", "users:admin")
	statuses := offer(t, s, gatewaytest.PlainClient(t), requests, 4, func(n int) gatewaytest.Request {
		return gatewaytest.Request{Target: "/v1/users/u" + strconv.Itoa(n) + "/profile", Header: admin}
	})

	if statuses[http.StatusOK] != requests || b.CountOf(gatewaytest.RPCGetProfile) > requests*12/10+10 {
		t.Errorf("%v, %d calls", statuses, b.CountOf(gatewaytest.RPCGetProfile))
	}
}
