package bff_test

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
)

// failsFirst lets the first calls fail.
func failsFirst(calls int64) trouble {
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

	s, b := startTroubledSite(t, unlimited)
	client := plainClient(t)

	keyed := s.as(t, "alice")
	keyed.Set("Idempotency-Key", "k1")

	for _, row := range []struct {
		name     string
		q        inquiry
		rpc      string
		failures int64
		status   int
		attempts int
	}{
		{"read", inquiry{target: aliceAccount, header: s.as(t, "alice")}, rpcGetUser, 2, http.StatusOK, 3},
		{"read_too_often", inquiry{target: aliceAccount, header: s.as(t, "alice")}, rpcGetUser, 9, http.StatusServiceUnavailable, 3},
		{"write", inquiry{method: http.MethodPost, target: "/v1/orders", body: anOrder, header: s.as(t, "alice")}, rpcNewOrder, 1, http.StatusServiceUnavailable, 1},
		{"write_with_key", inquiry{method: http.MethodPost, target: "/v1/orders", body: anOrder, header: keyed}, rpcNewOrder, 1, http.StatusCreated, 2},
		{
			"change",
			inquiry{method: http.MethodPatch, target: aliceAccount, body: `{"displayName":"a"}`, header: s.as(t, "alice")},
			rpcUpdateUser, 1, http.StatusServiceUnavailable, 1,
		},
	} {
		b.taken()
		b.becomes(failsFirst(row.failures))

		res := s.must(t, client, row.q)
		if got := b.countOf(row.rpc); res.status != row.status || got != row.attempts {
			t.Errorf("%s: %d after %d attempts, want %d after %d: %s", row.name, res.status, got, row.status, row.attempts, res.body)
		}
	}

	// They are attempts at one thing.
	b.taken()
	b.becomes(failsFirst(1))
	keyed.Set("Idempotency-Key", "k2")

	if res := s.must(t, client, inquiry{method: http.MethodPost, target: "/v1/orders", body: anOrder, header: keyed}); res.status != http.StatusCreated {
		t.Errorf("%d %s", res.status, res.body)
	}

	calls := b.taken()
	if len(calls) != 2 || calls[0].metadata.Get("x-request-id")[0] != calls[1].metadata.Get("x-request-id")[0] {
		t.Errorf("%v", calls)
	}
}

// offer sends requests, so many at a time, and counts the answers by status.
func offer(t *testing.T, s *site, client *http.Client, requests, atOnce int, q func(n int) inquiry) map[int]int {
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
				res, err := s.ask(t.Context(), client, q(n))
				if err != nil {
					t.Error(err)

					return
				}

				mu.Lock()
				statuses[res.status]++
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

	const requests = 1500 / slowdown

	for name, breaker := range map[string]config.Breaker{"breaker": {}, "no_breaker": {MinRequests: 1 << 30}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, b := startTroubledSite(t, func(c *config.Config) {
				unlimited(c)

				u := c.Upstreams["user"]
				u.Breaker = breaker
				c.Upstreams["user"] = u
			})
			header := s.as(t, "alice")

			b.becomes(failing(rpcGetUser, codes.Unavailable))

			statuses := offer(t, s, plainClient(t), requests, 16, func(int) inquiry {
				return inquiry{target: aliceAccount, header: header}
			})

			got := b.countOf(rpcGetUser)
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

	const requests = 900 / slowdown

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		setPolicy(c, getProfile, object{"retry": object{"max_attempts": 3, "hedge_after": "0.005s"}, "cache": object{}})

		u := c.Upstreams["profile"]
		u.Breaker = config.Breaker{MinRequests: 1 << 30}
		u.Concurrency = config.Concurrency{Disabled: true}
		c.Upstreams["profile"] = u
	})

	var calls atomic.Int64

	b.becomes(func(context.Context, string) error {
		time.Sleep(10 * time.Millisecond)

		if calls.Add(1)%3 == 0 {
			return status.Error(codes.Unavailable, "now and then")
		}

		return nil
	})

	admin := s.as(t, "root", "users:admin")
	statuses := offer(t, s, plainClient(t), requests, 16, func(n int) inquiry {
		return inquiry{target: "/v1/users/u" + strconv.Itoa(n) + "/profile", header: admin}
	})

	got := b.countOf(rpcGetProfile)
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

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		setPolicy(c, getProfile, object{"retry": object{"max_attempts": 1, "hedge_after": "0.004s"}, "cache": object{}})
	})

	b.becomes(func(context.Context, string) error {
		time.Sleep(after - time.Duration(rand.Int64N(int64(after/4))))

		return nil
	})

	admin := s.as(t, "root", "users:admin")
	statuses := offer(t, s, plainClient(t), requests, 4, func(n int) inquiry {
		return inquiry{target: "/v1/users/u" + strconv.Itoa(n) + "/profile", header: admin}
	})

	if statuses[http.StatusOK] != requests || b.countOf(rpcGetProfile) > requests*12/10+10 {
		t.Errorf("%v, %d calls", statuses, b.countOf(rpcGetProfile))
	}
}
