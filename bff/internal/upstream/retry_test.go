package upstream_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const (
	rpcGet   = "/order.v1.OrderService/GetOrder"
	rpcWatch = "/order.v1.OrderService/WatchOrder"
)

// retried calls a backend three times while it is unavailable.
func retried() *policy.Retry {
	return &policy.Retry{
		MaxAttempts: 3, InitialBackoff: time.Millisecond, MaxBackoff: 4 * time.Millisecond, Codes: []codes.Code{codes.Unavailable},
	}
}

// tried opens a pool over one backend, whose methods have the rules, and returns a client.
func tried(tb testing.TB, b backend, guard config.Breaker, rules map[string]policy.Policy) orderv1.OrderServiceClient {
	tb.Helper()

	d, _ := deps(tb)

	return client(tb, open(tb, upstream.Config{Upstream: config.Upstream{Addresses: []string{start(tb, b)}, Breaker: guard, Probe: config.Probe{Disabled: true}, Ejection: config.Ejection{Disabled: true}}, Methods: rules}, d))
}

func TestRetry(t *testing.T) {
	t.Parallel()

	keyed := retried()

	key, err := schema.ResolveField((&orderv1.GetOrderRequest{}).ProtoReflect().Descriptor(), "order_id")
	if err != nil {
		t.Fatal(err)
	}

	keyed.Key = key

	hedgedAlone := &policy.Retry{MaxAttempts: 1, HedgeAfter: time.Hour, Codes: []codes.Code{codes.Unavailable}}

	tests := []struct {
		name  string
		retry *policy.Retry
		order string
		// fails is how often the backend fails before it answers.
		fails  int32
		code   codes.Code
		trials int32
		want   codes.Code
	}{
		{"until_it_is_there", retried(), "", 2, codes.Unavailable, 3, codes.OK},
		{"of_a_server_that_shuts_down", retried(), "", 2, codes.Canceled, 3, codes.OK},
		{"up_to_the_number_of_attempts", retried(), "", 9, codes.Unavailable, 3, codes.Unavailable},
		{"not_for_another_code", retried(), "", 9, codes.Internal, 1, codes.Internal},
		{"not_unless_the_method_says_so", nil, "", 9, codes.Unavailable, 1, codes.Unavailable},
		{"not_for_one_attempt", hedgedAlone, "", 9, codes.Unavailable, 1, codes.Unavailable},
		{"not_without_the_key_that_makes_it_safe", keyed, "", 9, codes.Unavailable, 1, codes.Unavailable},
		{"with_the_key_that_makes_it_safe", keyed, "a", 2, codes.Unavailable, 3, codes.OK},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var trials atomic.Int32

			orders := tried(t, backend{get: func(context.Context) (*orderv1.Order, error) {
				if trials.Add(1) <= tt.fails {
					return nil, status.Error(tt.code, "not yet")
				}

				return &orderv1.Order{}, nil
			}}, patient, map[string]policy.Policy{rpcGet: {Retry: tt.retry}})

			_, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{OrderId: tt.order})
			if status.Code(err) != tt.want || trials.Load() != tt.trials {
				t.Errorf("got %v after %d trials, want %s after %d", err, trials.Load(), tt.want, tt.trials)
			}
		})
	}
}

// gRPC retries no call whose header has come. Where a call has a single answer, nothing of it was used, and it is made once more.
func TestRetryAfterTheHeader(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		retry   *policy.Retry
		code    codes.Code
		trailer metadata.MD
		trials  int32
		want    codes.Code
	}{
		{"where_it_may_be_repeated", retried(), codes.Unavailable, nil, 2, codes.OK},
		{"of_a_server_that_shuts_down", retried(), codes.Canceled, nil, 2, codes.OK},
		{"not_for_another_code", retried(), codes.Internal, nil, 1, codes.Internal},
		{"not_unless_the_method_says_so", nil, codes.Unavailable, nil, 1, codes.Unavailable},
		{"not_against_pushback", retried(), codes.Unavailable, metadata.Pairs("grpc-retry-pushback-ms", "-1"), 1, codes.Unavailable},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var trials atomic.Int32

			orders := tried(t, backend{get: func(ctx context.Context) (*orderv1.Order, error) {
				if trials.Add(1) > 1 {
					return &orderv1.Order{OrderId: "a"}, nil
				}

				if err := grpc.SendHeader(ctx, metadata.Pairs("from", "first")); err != nil {
					return nil, err
				}

				if err := grpc.SetTrailer(ctx, tt.trailer); err != nil {
					return nil, err
				}

				return nil, status.Error(tt.code, "gone")
			}}, patient, map[string]policy.Policy{rpcGet: {Retry: tt.retry}})

			var header metadata.MD

			got, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{}, grpc.Header(&header))
			if status.Code(err) != tt.want || trials.Load() != tt.trials || err == nil && got.GetOrderId() != "a" {
				t.Errorf("got %v, %v after %d trials, want %s after %d", got, err, trials.Load(), tt.want, tt.trials)
			}

			if err == nil && len(header.Get("from")) > 0 {
				t.Errorf("the header is that of the call that failed: %v", header)
			}
		})
	}
}

// gRFC A6: what the backend says about the pause goes before the configured one.
func TestPushback(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, pushback string
		trials         int32
		atLeast        time.Duration
	}{
		{"is_waited_for", "300", 2, 300 * time.Millisecond},
		{"stops_if_negative", "-1", 1, 0},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var trials atomic.Int32

			orders := tried(t, backend{get: func(ctx context.Context) (*orderv1.Order, error) {
				if trials.Add(1) > 1 {
					return &orderv1.Order{}, nil
				}

				if err := grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", tt.pushback)); err != nil {
					return nil, fmt.Errorf("push back: %w", err)
				}

				return nil, status.Error(codes.Unavailable, "not yet")
			}}, patient, map[string]policy.Policy{rpcGet: {Retry: retried()}})

			began := time.Now()
			_, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{})

			if trials.Load() != tt.trials || (err == nil) != (tt.trials == 2) {
				t.Errorf("got %v after %d trials, want %d", err, trials.Load(), tt.trials)
			}

			if took := time.Since(began); took < tt.atLeast {
				t.Errorf("it waited for %s", took)
			}
		})
	}
}

func TestStreamIsNotRetriedOnceItHasBegun(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		begin  func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error
		trials int32
	}{
		{"with_a_message", func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
			return stream.Send(&orderv1.WatchOrderResponse{})
		}, 1},
		{"with_a_header", func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
			return stream.SendHeader(metadata.MD{})
		}, 1},
		{"not_at_all", func(grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error { return nil }, 3},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var trials atomic.Int32

			orders := tried(t, backend{watch: func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
				trials.Add(1)

				if err := tt.begin(stream); err != nil {
					return err
				}

				return status.Error(codes.Unavailable, "gone")
			}}, patient, map[string]policy.Policy{rpcWatch: {Retry: retried()}})

			stream, err := orders.WatchOrder(bounded(t), &orderv1.WatchOrderRequest{})
			for err == nil {
				_, err = stream.Recv()
			}

			if status.Code(err) != codes.Unavailable || trials.Load() != tt.trials {
				t.Errorf("got %v after %d trials, want %d", err, trials.Load(), tt.trials)
			}
		})
	}
}

// What fails for everybody must not get more of it: all attempts are at most 1.2 times the calls.
func TestRetriesAreAFifthOfTheLoadAtMost(t *testing.T) {
	t.Parallel()

	production := config.Breaker{FailureRatio: 0.5, MinRequests: 10, Window: 10 * time.Second, OpenFor: 2 * time.Second}

	tests := []struct {
		name  string
		guard config.Breaker
		// Of every ten calls so many fail.
		fail int32
	}{
		{"all_fail_behind_a_breaker", production, 10},
		{"all_fail", patient, 10},
		{"half_fail", patient, 5},
		{"a_third_fails", patient, 3},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			const (
				calls   = 3000
				callers = 10
			)

			var trials, made atomic.Int32

			orders := tried(t, backend{get: func(context.Context) (*orderv1.Order, error) {
				if trials.Add(1)%10 < tt.fail {
					return nil, status.Error(codes.Unavailable, "gone")
				}

				return &orderv1.Order{}, nil
			}}, tt.guard, map[string]policy.Policy{rpcGet: {Retry: retried()}})

			var wg sync.WaitGroup

			for range callers {
				wg.Go(func() {
					for made.Add(1) <= calls {
						_, _ = orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{})
					}
				})
			}

			wg.Wait()

			if got := trials.Load(); got == 0 || got > calls*12/10 {
				t.Errorf("%d attempts for %d calls", got, calls)
			}
		})
	}
}

// All calls that are under way when an address is lost fail once.
func TestFewDozenCallsAtOnceMayFailOver(t *testing.T) {
	t.Parallel()

	const calls = 40

	orders := tried(t, backend{get: func(ctx context.Context) (*orderv1.Order, error) {
		if len(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")) == 0 {
			return nil, status.Error(codes.Unavailable, "gone")
		}

		return &orderv1.Order{}, nil
	}}, patient, map[string]policy.Policy{rpcGet: {Retry: retried()}})

	var wg sync.WaitGroup

	for range calls {
		wg.Go(func() {
			if _, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{}); err != nil {
				t.Error(err)
			}
		})
	}

	wg.Wait()
}

// One of two backends has frozen. Nobody who may ask twice notices.
func TestHedgedCallsGetAnAnswerFromTheOtherAddress(t *testing.T) {
	t.Parallel()

	d, _ := deps(t)
	hedged := retried()
	hedged.HedgeAfter = 20 * time.Millisecond

	var frozen atomic.Bool

	freezes := backend{get: func(ctx context.Context) (*orderv1.Order, error) {
		if frozen.Load() {
			<-ctx.Done()
		}

		return &orderv1.Order{OrderId: "a"}, ctx.Err()
	}}

	pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, freezes), start(t, named("b"))}, Breaker: patient, Probe: config.Probe{Disabled: true}, Ejection: config.Ejection{Disabled: true}}, Methods: map[string]policy.Policy{rpcGet: {Retry: hedged}}}, d)
	orders := client(t, pool)

	// Until both are connected, both calls may go to the same.
	becomes(t, orders, "a", "b")
	frozen.Store(true)

	for range 10 {
		var header, trailer metadata.MD

		got, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{}, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}

		if got.GetOrderId() != "b" || len(header.Get("content-type")) == 0 {
			t.Errorf("got %v with header %v", got, header)
		}
	}
}

// A second call would go to the same address, which is slow already.
func TestRingHashIsNotHedged(t *testing.T) {
	t.Parallel()

	d, _ := deps(t)
	hedged := retried()
	hedged.HedgeAfter = time.Millisecond

	var calls atomic.Int32

	slow := backend{get: func(context.Context) (*orderv1.Order, error) {
		calls.Add(1)
		time.Sleep(100 * time.Millisecond)

		return &orderv1.Order{}, nil
	}}

	orders := client(t, open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, slow), start(t, slow)}, Breaker: patient, Balancing: "ring_hash"}, Methods: map[string]policy.Policy{rpcGet: {Retry: hedged}}}, d))

	if _, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{}); err != nil || calls.Load() != 1 {
		t.Errorf("got %v after %d calls", err, calls.Load())
	}
}

func TestStateOfMethodsIsShown(t *testing.T) {
	t.Parallel()

	d, o := deps(t)
	own := &porticov1.Breaker{
		FailureRatio: quick.FailureRatio, MinRequests: int32(quick.MinRequests), Window: durationpb.New(quick.Window),
		OpenFor: durationpb.New(time.Hour),
	}

	pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{"127.0.0.1:1"}, Breaker: patient}, Methods: map[string]policy.Policy{rpcGet: {Effective: &porticov1.MethodPolicy{Breaker: own}}}}, d)
	orders := client(t, pool)

	if got := pool.Statuses()[0].Methods[reqinfo.Selector(rpcGet)]; got != "closed" || o.Method(rpcGet) != breaker.Closed {
		t.Errorf("at first: %s, observed %s", got, o.Method(rpcGet))
	}

	for range own.GetMinRequests() {
		if _, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{}); status.Code(err) != codes.Unavailable {
			t.Fatalf("got %v", err)
		}
	}

	got := pool.Statuses()[0]
	if got.Methods[reqinfo.Selector(rpcGet)] != "open" || got.Breaker != "closed" || o.Method(rpcGet) != breaker.Open {
		t.Errorf("got %+v, observed %s", got, o.Method(rpcGet))
	}
}
