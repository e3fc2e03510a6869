package upstream_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// fresh are the settings of a backend without what would disturb a test.
func fresh(address ...string) config.Upstream {
	return config.Upstream{
		Addresses: address, Breaker: patient, Probe: config.Probe{Disabled: true}, Ejection: config.Ejection{Disabled: true},
	}
}

func TestResultsTellOfRetriesAndTheTrace(t *testing.T) {
	t.Parallel()

	for _, fails := range []int32{0, 1, 2, 3} {
		var attempts atomic.Int32

		d, o := deps(t)
		address := start(t, backend{get: func(context.Context) (*orderv1.Order, error) {
			if attempts.Add(1) <= fails {
				return nil, status.Error(codes.Unavailable, "not yet")
			}

			return &orderv1.Order{}, nil
		}})
		orders := client(t, open(t, upstream.Config{Upstream: fresh(address), Methods: map[string]policy.Policy{rpcGet: {Retry: retried()}}}, d))

		_, err := orders.GetOrder(reqinfo.NewContext(bounded(t), &reqinfo.Record{Trace: reqinfo.Trace{TraceID: "abc", Sampled: true}}), &orderv1.GetOrderRequest{})

		want := []upstream.CallResult{{
			Upstream: "order", RPC: rpcGet, Code: status.Code(err), Retries: int(min(fails, 2)), TraceID: "abc",
		}}
		if diff := cmp.Diff(want, o.Results()); diff != "" {
			t.Errorf("%d failures: %s", fails, diff)
		}
	}
}

func TestResultsTellOfHedges(t *testing.T) {
	t.Parallel()

	d, o := deps(t)
	hedged := retried()
	hedged.HedgeAfter = time.Millisecond

	var frozen atomic.Bool

	freezes := backend{get: func(ctx context.Context) (*orderv1.Order, error) {
		if frozen.Load() {
			<-ctx.Done()
		}

		return &orderv1.Order{OrderId: "a"}, ctx.Err()
	}}

	orders := client(t, open(t, upstream.Config{
		Upstream: fresh(start(t, freezes), start(t, named("b"))), Methods: map[string]policy.Policy{rpcGet: {Retry: hedged}},
	}, d))

	becomes(t, orders, "a", "b")
	frozen.Store(true)

	for range 4 {
		if _, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{}); err != nil {
			t.Fatal(err)
		}
	}

	if !slices.ContainsFunc(o.Results(), func(r upstream.CallResult) bool { return r.Hedge == upstream.HedgeWon }) {
		t.Errorf("no hedge was used: %+v", o.Results())
	}
}

func TestCallsInFlightAndRefusedOnesAreCounted(t *testing.T) {
	t.Parallel()

	begun, end := make(chan struct{}), make(chan struct{})
	waits := backend{get: func(context.Context) (*orderv1.Order, error) {
		begun <- struct{}{}
		<-end

		return nil, status.Error(codes.Unavailable, "gone")
	}}

	d, o := deps(t)
	settings := fresh(start(t, waits))
	settings.Breaker = config.Breaker{MinRequests: 1, OpenFor: time.Hour}
	settings.Concurrency = config.Concurrency{Min: 1, Max: 1, Initial: 1}
	pool := open(t, upstream.Config{Upstream: settings}, d)
	orders := client(t, pool)

	get := func(ctx context.Context) error {
		_, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{})
		return err
	}

	first := make(chan error)
	go func() { first <- get(bounded(t)) }()

	<-begun

	if got := pool.Statuses()[0]; got.Calls != 1 || got.InFlight != 1 {
		t.Errorf("during a call: %+v", got)
	}

	_ = get(bounded(t))

	close(end)
	<-first

	if got := pool.Statuses()[0]; got.Calls != 0 {
		t.Errorf("after it: %+v", got)
	}

	_ = get(bounded(t))

	passed, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()

	_ = get(passed)

	want := []reqinfo.Reason{reqinfo.ReasonConcurrency, reqinfo.ReasonBreaker, reqinfo.ReasonDeadline}
	if diff := cmp.Diff(want, o.Refused()); diff != "" {
		t.Error(diff)
	}
}
