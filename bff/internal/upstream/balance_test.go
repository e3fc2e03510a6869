package upstream_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func TestCallsAreBalancedAsConfigured(t *testing.T) {
	t.Parallel()

	for _, balancing := range []string{"", "round_robin", "least_request", "weighted_round_robin", "ring_hash"} {
		t.Run("by_"+balancing, func(t *testing.T) {
			t.Parallel()

			cfg := upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, named("a")), start(t, named("b")), start(t, named("c"))}, Breaker: patient, Balancing: balancing}}
			pool := open(t, cfg, quiet(t))

			becomes(t, client(t, pool), "a", "b", "c")

			if got := pool.Statuses()[0].Addresses; len(got) != 3 {
				t.Errorf("the addresses are %v", got)
			}
		})
	}
}

// The hedge of a call that hangs once went to whatever address was next, and hung as well.
func TestHedgeGoesToAnotherAddress(t *testing.T) {
	t.Parallel()

	a := backend{get: func(ctx context.Context) (*orderv1.Order, error) {
		<-ctx.Done()

		return nil, ctx.Err()
	}}
	cfg := upstream.Config{
		Upstream: config.Upstream{Addresses: []string{start(t, a), start(t, named("b"))}, Breaker: patient},
		Methods: map[string]policy.Policy{orderv1.OrderService_GetOrder_FullMethodName: {Retry: &policy.Retry{
			MaxAttempts: 2, InitialBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Codes: []codes.Code{codes.Unavailable},
			HedgeAfter: 300 * time.Millisecond,
		}}},
	}
	pool := open(t, cfg, quiet(t))
	orders := client(t, pool)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	eventually(t, "both are ready", func() bool {
		_, _ = orders.GetOrder(ctx, &orderv1.GetOrderRequest{})

		return !slices.ContainsFunc(pool.Statuses()[0].Addresses, func(a balance.Address) bool { return a.State != "ready" })
	})

	for range 5 {
		// Calls take turns: of two, one hangs, and its hedge would be next there.
		var wait sync.WaitGroup
		for range 2 {
			wait.Go(func() {
				if order, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}); err != nil || order.GetOrderId() != "b" {
					t.Errorf("%v, %v", order, err)
				}
			})
		}

		wait.Wait()
	}
}

func TestStreamIsRetriedAtAnotherAddress(t *testing.T) {
	t.Parallel()

	failing, good := named("a"), named("b")
	failing.watch = func(grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
		return status.Error(codes.Unavailable, "no")
	}
	good.watch = func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
		return stream.Send(&orderv1.WatchOrderResponse{})
	}

	cfg := upstream.Config{
		Upstream: config.Upstream{
			Addresses: []string{start(t, failing), start(t, good)}, Breaker: patient, Balancing: config.LeastRequest,
			Ejection: config.Ejection{Disabled: true},
		},
		Methods: map[string]policy.Policy{orderv1.OrderService_WatchOrder_FullMethodName: {Retry: &policy.Retry{
			MaxAttempts: 2, InitialBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Codes: []codes.Code{codes.Unavailable},
		}}},
	}
	orders := client(t, open(t, cfg, quiet(t)))

	becomes(t, orders, "a", "b")

	for range 20 {
		stream, err := orders.WatchOrder(t.Context(), &orderv1.WatchOrderRequest{})
		if err == nil {
			_, err = stream.Recv()
		}

		if err != nil {
			t.Error(err)
		}
	}
}

func TestUnknownBalancingIsRefused(t *testing.T) {
	t.Parallel()

	_, err := upstream.Open(map[string]upstream.Config{
		"order": {Upstream: config.Upstream{Addresses: []string{"127.0.0.1:1"}, Balancing: "best_first"}},
	}, quiet(t))
	if err == nil || err.Error() != `upstream order: there is no balancing policy "best_first"` {
		t.Errorf("got %v", err)
	}
}

// A failed call is made again, at another address: those of a backend that stops cost nothing.
func TestBackendThatStopsAmongThree(t *testing.T) {
	t.Parallel()

	server, first := listen(t, "tcp", "127.0.0.1:0", named("a"))
	cfg := upstream.Config{Upstream: config.Upstream{Addresses: []string{first, start(t, named("b")), start(t, named("c"))}, Breaker: patient}, Methods: map[string]policy.Policy{orderv1.OrderService_GetOrder_FullMethodName: {Retry: &policy.Retry{
		MaxAttempts: 3, InitialBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond,
		Codes: []codes.Code{codes.Unavailable},
	}}}}
	orders := client(t, open(t, cfg, quiet(t)))

	becomes(t, orders, "a", "b", "c")
	server.Stop()

	for range 5 {
		if got := spread(t, orders); slices.Contains(got, "") {
			t.Errorf("calls failed: %q", got)
		}
	}

	becomes(t, orders, "b", "c")
}

func TestEjectionIsConfigured(t *testing.T) {
	t.Parallel()

	sick := named("a")
	sick.get = refuses

	cfg := upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, sick), start(t, named("b"))}, Breaker: patient, Ejection: config.Ejection{Failures: 2, Time: time.Hour}}}
	pool := open(t, cfg, quiet(t))
	orders := client(t, pool)

	// Before a's health is known, all calls go to b as well: it takes calls to a that fail.
	eventually(t, "the ejection", func() bool {
		spread(t, orders)

		return slices.ContainsFunc(pool.Statuses()[0].Addresses, func(a balance.Address) bool { return a.State == "ejected" })
	})

	becomes(t, orders, "b")
}

func refuses(context.Context) (*orderv1.Order, error) {
	return nil, status.Error(codes.Unavailable, "no")
}
