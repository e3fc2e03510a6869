package upstream_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/testkit/nameserver"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// failure is the end of a call, with a header before it or without.
type failure struct {
	code   codes.Code
	header bool
}

func (f failure) end(ctx context.Context) error {
	if f.header {
		if err := grpc.SendHeader(ctx, metadata.MD{}); err != nil {
			return err
		}
	}

	return status.Error(f.code, "failed")
}

// All attempts count, whether gRPC made them or the gateway. Once, max_attempts: 3 made six of them.
func TestMaxAttemptsIsKept(t *testing.T) {
	t.Parallel()

	early, late := failure{codes.Unavailable, false}, failure{codes.Unavailable, true}
	cancelled, lateCancelled := failure{codes.Canceled, false}, failure{codes.Canceled, true}

	tests := map[string][3]failure{
		"without_header":               {early, early, early},
		"after_header":                 {late, late, late},
		"after_header_at_last":         {early, early, late},
		"header_in_between":            {early, late, early},
		"cancelled":                    {cancelled, cancelled, cancelled},
		"cancelled_at_last":            {early, early, cancelled},
		"cancelled_at_first":           {cancelled, early, late},
		"cancelled_after_header":       {lateCancelled, lateCancelled, lateCancelled},
		"cancelled_and_after_header":   {cancelled, late, cancelled},
		"unavailable_then_cancelled":   {early, cancelled, cancelled},
		"unavailable_then_with_header": {early, late, late},
	}

	for name, failures := range tests {
		for _, hedgeAfter := range []time.Duration{0, time.Nanosecond} {
			t.Run(name+"/hedged_after_"+hedgeAfter.String(), func(t *testing.T) {
				t.Parallel()

				var attempts atomic.Int32

				retry := retried()
				retry.HedgeAfter = hedgeAfter

				orders := tried(t, backend{get: func(ctx context.Context) (*orderv1.Order, error) {
					n := int(attempts.Add(1)) - 1

					return nil, failures[n%len(failures)].end(ctx)
				}}, patient, map[string]policy.Policy{rpcGet: {Retry: retry}})

				_, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{})

				most := int32(retry.MaxAttempts)
				if hedgeAfter > 0 {
					most *= 2
				}

				if got := attempts.Load(); err == nil || got > most || got < 2 {
					t.Errorf("%v after %d attempts, want at most %d", err, got, most)
				}
			})
		}
	}
}

// Once, clients that disconnected took the tokens of gRPC's retries: a hundred of them, and nothing was retried any more.
func TestClientsThatDisconnectLeaveRetriesAlone(t *testing.T) {
	t.Parallel()

	const clients = 120

	var fails atomic.Bool

	called := make(chan struct{})
	orders := tried(t, backend{get: func(ctx context.Context) (*orderv1.Order, error) {
		if fails.Swap(false) {
			return nil, status.Error(codes.Unavailable, "not yet")
		}

		if len(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")) > 0 {
			return &orderv1.Order{}, nil
		}

		called <- struct{}{}

		<-ctx.Done()

		return nil, status.FromContextError(ctx.Err()).Err()
	}}, patient, map[string]policy.Policy{rpcGet: {Retry: retried()}})

	for range clients {
		ctx, cancel := context.WithCancel(bounded(t))

		go func() {
			<-called
			cancel()
		}()

		if _, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}); status.Code(err) != codes.Canceled {
			t.Fatalf("a client that disconnected got %v", err)
		}
	}

	fails.Store(true)

	if _, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{}); err != nil {
		t.Errorf("not retried: %v", err)
	}
}

// gRPC's retries, hedges and the gateway's own retries together are at most a fifth, however calls fail.
func TestAllExtraCallsAreAFifthOfTheLoadAtMost(t *testing.T) {
	t.Parallel()

	kinds := []failure{{codes.Unavailable, false}, {codes.Unavailable, true}, {codes.Canceled, false}, {codes.Canceled, true}}

	for name, hedgeAfter := range map[string]time.Duration{"retried": 0, "hedged": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			const (
				calls   = 4000
				callers = 10
			)

			var attempts, made atomic.Int32

			retry := retried()
			retry.HedgeAfter = hedgeAfter

			orders := tried(t, backend{get: func(ctx context.Context) (*orderv1.Order, error) {
				// Two of three calls fail.
				if n := int(attempts.Add(1)); n%3 > 0 {
					return nil, kinds[n%len(kinds)].end(ctx)
				}

				return &orderv1.Order{}, nil
			}}, patient, map[string]policy.Policy{rpcGet: {Retry: retry}})

			var wg sync.WaitGroup

			for range callers {
				wg.Go(func() {
					for made.Add(1) <= calls {
						_, _ = orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{})
					}
				})
			}

			wg.Wait()

			// At first, as many may come at once as can be saved up.
			if got := attempts.Load(); got > calls*12/10+100 {
				t.Errorf("%d attempts for %d calls", got, calls)
			}
		})
	}
}

// Once, each lookup of the name renewed gRPC's budget: with as many as there are while addresses fail, nearly all calls were retried.
func TestLookupsDoNotRenewTheBudgetOfRetries(t *testing.T) {
	t.Parallel()

	const (
		atLeast = 1500
		lookups = 30
	)

	var attempts atomic.Int32

	_, port, _ := net.SplitHostPort(start(t, backend{get: func(context.Context) (*orderv1.Order, error) {
		attempts.Add(1)

		return nil, status.Error(codes.Unavailable, "failed")
	}}))

	names := nameserver.Start(t, "127.0.0.1")
	target := dnsTarget(names, port, time.Millisecond)
	target.Methods = map[string]policy.Policy{rpcGet: {Retry: retried()}}
	orders := client(t, open(t, target, quiet(t)))

	calls := 0
	for ; calls < atLeast || names.Queries() < lookups; calls++ {
		_, _ = orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{})
	}

	// At first, as many may come at once as can be saved up.
	if got := int(attempts.Load()); got > calls*12/10+100 {
		t.Errorf("%d attempts for %d calls", got, calls)
	}
}
