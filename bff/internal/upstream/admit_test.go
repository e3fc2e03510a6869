package upstream

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/resource"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const (
	rpcGet  = "/order.v1.OrderService/GetOrder"
	rpcList = "/order.v1.OrderService/ListOrders"
)

// strict opens at the first failure, for a minute.
var strict = config.Breaker{FailureRatio: 1, MinRequests: 1, Window: time.Hour, OpenFor: time.Minute}

// lenient does not open.
var lenient = config.Breaker{FailureRatio: 1, MinRequests: 1 << 20, Window: time.Hour, OpenFor: time.Minute}

// stubbed returns an upstream that is not connected to anything.
func stubbed(cfg Config) (*upstream, *ends) {
	o := &ends{}
	cfg.Upstream = cfg.WithDefaults()

	return newUpstream(resource.NewSet().Lease(), "order", cfg, Deps{Logger: slog.New(slog.DiscardHandler), Observer: o}), o
}

// invoker answers calls in place of gRPC.
type invoker func(ctx context.Context, reply any, opts []grpc.CallOption) error

// call makes a call through the interceptor, which next answers.
func (u *upstream) call(ctx context.Context, o Observer, rpc string, next invoker) error {
	return u.unary(o)(ctx, rpc, &orderv1.GetOrderRequest{}, &orderv1.Order{}, nil,
		func(ctx context.Context, _ string, _, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
			return next(ctx, reply, opts)
		})
}

func answer(err error) invoker {
	return func(context.Context, any, []grpc.CallOption) error { return err }
}

var errGone = status.Error(codes.Unavailable, "gone")

func TestBreakerOfAMethodIsForItAlone(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		own := breakerOf(strict)
		u, o := stubbed(Config{Upstream: config.Upstream{Breaker: lenient}, Methods: map[string]policy.Policy{rpcGet: {Effective: &porticov1.MethodPolicy{Breaker: own}}}})

		if err := u.call(t.Context(), o, rpcGet, answer(errGone)); !errors.Is(err, errGone) {
			t.Fatalf("got %v", err)
		}

		err := u.call(t.Context(), o, rpcGet, answer(nil))
		if !errors.Is(err, breaker.ErrOpen) || status.Code(err) != codes.Unavailable {
			t.Errorf("the method: got %v, want a refusal", err)
		}

		if err := u.call(t.Context(), o, rpcList, answer(nil)); err != nil {
			t.Errorf("another method: %v", err)
		}

		time.Sleep(own.GetOpenFor().AsDuration() + time.Millisecond)

		if err := u.call(t.Context(), o, rpcGet, answer(nil)); err != nil {
			t.Errorf("after its time: %v", err)
		}

		want := []codes.Code{codes.Unavailable, codes.Unavailable, codes.OK, codes.OK}
		if diff := cmp.Diff(want, o.codes); diff != "" {
			t.Error(diff)
		}
	})
}

// Each layer has one place, which is taken. The refused call must leave it to the next.
func TestRefusalUndoesWhatTheLayersBeforeHold(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		// refuse makes the upstream refuse calls of the method until the returned function is called.
		refuse func(t *testing.T, u *upstream) (stop func())
		want   error
	}{
		{"by_the_limit", func(t *testing.T, u *upstream) func() {
			t.Helper()

			permit, ok := u.limiter.Acquire(rpcList, 1, time.Now())
			if !ok {
				t.Fatal("there is no room")
			}

			return permit.Drop
		}, ErrOverloaded},
		{"by_the_breaker_of_the_upstream", func(t *testing.T, u *upstream) func() {
			t.Helper()

			return hold(t, u.breaker)
		}, breaker.ErrOpen},
		{"by_the_breaker_of_the_method", func(t *testing.T, u *upstream) func() {
			t.Helper()

			return hold(t, u.methods[rpcGet].breaker)
		}, breaker.ErrOpen},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				own := breakerOf(strict)
				u, o := stubbed(Config{Upstream: config.Upstream{Breaker: strict, Concurrency: config.Concurrency{Min: 1, Max: 1, Initial: 1}}, Methods: map[string]policy.Policy{rpcGet: {Effective: &porticov1.MethodPolicy{Breaker: own}}}})

				if err := u.call(t.Context(), o, rpcGet, answer(errGone)); !errors.Is(err, errGone) {
					t.Fatalf("got %v", err)
				}

				time.Sleep(strict.OpenFor + time.Millisecond)

				// Both breakers are half-open, with room for one probe.
				stop := tt.refuse(t, u)

				for range 3 {
					if err := u.call(t.Context(), o, rpcGet, answer(nil)); !errors.Is(err, tt.want) {
						t.Fatalf("got %v, want %v", err, tt.want)
					}
				}

				stop()

				if err := u.call(t.Context(), o, rpcGet, answer(nil)); err != nil {
					t.Errorf("afterwards: %v", err)
				}

				if _, inFlight := u.limiter.Limit(); inFlight != 0 {
					t.Errorf("%d calls are still counted", inFlight)
				}
			})
		})
	}
}

// hold takes the only probe of a half-open breaker.
func hold(tb testing.TB, b *breaker.Breaker) (stop func()) {
	tb.Helper()

	done, err := b.Allow()
	if err != nil {
		tb.Fatal(err)
	}

	return func() { done(breaker.ErrNotCounted) }
}

func TestOverloadIsRefusedAtOnceAndSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		u, o := stubbed(Config{Upstream: config.Upstream{Breaker: strict, Concurrency: config.Concurrency{Min: 20, Max: 20}}})
		free := make(chan struct{})

		var busy sync.WaitGroup

		for range 19 {
			busy.Go(func() {
				if err := u.call(t.Context(), o, rpcGet, func(context.Context, any, []grpc.CallOption) error {
					<-free

					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}

		synctest.Wait()

		start := time.Now()
		err := u.call(t.Context(), o, rpcGet, answer(nil))

		if took := time.Since(start); took > 0 {
			t.Errorf("it waited for %s", took)
		}

		if !errors.Is(err, ErrOverloaded) || status.Code(err) != codes.Unavailable {
			t.Fatalf("got %v", err)
		}

		info, ok := status.Convert(err).Details()[0].(*errdetails.RetryInfo)
		if !ok || info.GetRetryDelay().AsDuration() != retryAfter {
			t.Errorf("got %v", status.Convert(err).Details())
		}

		if got := u.breaker.State(); got != breaker.Closed {
			t.Errorf("the refusal made the breaker %s", got)
		}

		critical := reqinfo.NewContext(t.Context(), &reqinfo.Record{Priority: 1})
		if err := u.call(critical, o, rpcGet, answer(nil)); err != nil {
			t.Errorf("there is room for what is critical: %v", err)
		}

		close(free)
		busy.Wait()

		if err := u.call(t.Context(), o, rpcGet, answer(nil)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// A stream may go on for hours.
func TestStreamHoldsItsRoomUntilItsFirstAnswer(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		u, o := stubbed(Config{Upstream: config.Upstream{Breaker: lenient, Concurrency: config.Concurrency{Min: 1, Max: 1}}})

		stream, err := watch(t.Context(), u, o, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}

		if _, err := watch(t.Context(), u, o, nil); !errors.Is(err, ErrOverloaded) {
			t.Errorf("got %v, want a refusal", err)
		}

		if err := stream.RecvMsg(nil); err != nil {
			t.Fatal(err)
		}

		// One that says nothing has its room back after a moment.
		if _, err := watch(t.Context(), u, o, nil); err != nil {
			t.Errorf("after the first answer: %v", err)
		}

		time.Sleep(maxSilence + time.Millisecond)

		if _, inFlight := u.limiter.Limit(); inFlight != 0 {
			t.Errorf("%d calls are still counted", inFlight)
		}
	})
}

func TestReserve(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name       string
		left, want time.Duration
	}{
		{"little_of_much", 10 * time.Second, 10*time.Second - 20*time.Millisecond},
		{"a_tenth_of_little", 50 * time.Millisecond, 45 * time.Millisecond},
		{"nothing_of_nothing", 0, 0},
		{"nothing_of_the_past", -time.Second, 0},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				u, o := stubbed(Config{Upstream: config.Upstream{Breaker: lenient}})
				ctx, cancel := context.WithTimeout(t.Context(), tt.left)

				defer cancel()

				var got time.Duration

				err := u.call(ctx, o, rpcGet, func(ctx context.Context, _ any, _ []grpc.CallOption) error {
					deadline, _ := ctx.Deadline()
					got = time.Until(deadline)

					return nil
				})

				if got != tt.want {
					t.Errorf("the backend got %s, want %s", got, tt.want)
				}

				if exhausted := status.Code(err) == codes.DeadlineExceeded; exhausted != (tt.want == 0) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestNoDeadlineStaysNone(t *testing.T) {
	t.Parallel()

	u, o := stubbed(Config{Upstream: config.Upstream{Breaker: lenient}})

	if err := u.call(t.Context(), o, rpcGet, func(ctx context.Context, _ any, _ []grpc.CallOption) error {
		if _, ok := ctx.Deadline(); ok {
			t.Error("there is a deadline")
		}

		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestCallsAreNotedOnTheRecord(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		u, o := stubbed(Config{Upstream: config.Upstream{Breaker: lenient}})
		rec, start := &reqinfo.Record{}, time.Now()

		if err := u.call(reqinfo.NewContext(t.Context(), rec), o, rpcGet, func(context.Context, any, []grpc.CallOption) error {
			time.Sleep(time.Second)

			return status.Error(codes.NotFound, "there is none")
		}); status.Code(err) != codes.NotFound {
			t.Error(err)
		}

		want := []reqinfo.Call{{Upstream: "order", RPC: rpcGet, Start: start, Took: time.Second, Code: codes.NotFound}}
		if diff := cmp.Diff(want, rec.Calls()); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkUnary(b *testing.B) {
	own := breakerOf(lenient)
	own.SlowAfter = durationpb.New(time.Second)

	tests := []struct {
		name   string
		config Config
	}{
		{"plain", Config{Upstream: config.Upstream{Breaker: lenient}}},
		{"method_with_breaker_and_retry", Config{Upstream: config.Upstream{Breaker: lenient}, Methods: map[string]policy.Policy{
			rpcGet: {Effective: &porticov1.MethodPolicy{Breaker: own}, Retry: &policy.Retry{MaxAttempts: 3}},
		}}},
		{"hedged", Config{Upstream: config.Upstream{Breaker: lenient}, Methods: map[string]policy.Policy{
			rpcGet: {Retry: &policy.Retry{MaxAttempts: 3, HedgeAfter: time.Second}},
		}}},
	}

	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			u, _ := stubbed(tt.config)
			ctx, cancel := context.WithTimeout(b.Context(), time.Hour)

			defer cancel()

			intercept := u.unary(quiet{})
			req, reply := &orderv1.GetOrderRequest{}, &orderv1.Order{}
			next := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }

			b.ReportAllocs()

			for b.Loop() {
				if err := intercept(ctx, rpcGet, req, reply, nil, next); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// quiet keeps nothing.
type quiet struct{ *ends }

func (quiet) ObserveCall(CallResult) {}

// breakerOf is a policy with these settings.
func breakerOf(s config.Breaker) *porticov1.Breaker {
	return &porticov1.Breaker{
		FailureRatio: s.FailureRatio, MinRequests: int32(s.MinRequests), Window: durationpb.New(s.Window),
		OpenFor: durationpb.New(s.OpenFor), SlowRatio: s.SlowRatio, Probes: int32(s.Probes),
	}
}

// A gateway that was behind cannot blame the backend: its calls were late because of itself.
func TestOwnDelayIsNotTheBackends(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		delay, took time.Duration
		err         error
		want        breaker.State
	}{
		"no_delay":      {0, time.Second, errLate, breaker.Open},
		"small_delay":   {100 * time.Millisecond, time.Second, errLate, breaker.Open},
		"large_delay":   {200 * time.Millisecond, time.Second, errLate, breaker.Closed},
		"other_failure": {200 * time.Millisecond, time.Second, errGone, breaker.Open},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				u, o := stubbed(Config{Upstream: config.Upstream{Breaker: strict}})
				start := time.Now()

				u.delay = func(since time.Time) time.Duration {
					if !since.Equal(start) {
						t.Errorf("asked for the delay since %v", since.Sub(start))
					}

					return tt.delay
				}

				_ = u.call(t.Context(), o, rpcGet, func(context.Context, any, []grpc.CallOption) error {
					time.Sleep(tt.took)
					return tt.err
				})

				if got := u.breaker.State(); got != tt.want {
					t.Errorf("the breaker is %v, want %v", got, tt.want)
				}
			})
		})
	}
}

var errLate = status.Error(codes.DeadlineExceeded, "late")

// The limit follows the latency of the backend, not that of the gateway: with it, 20 ms of waiting for a CPU would bring the limit
// down to its minimum, or, from the beginning, let it grow without bounds.
func TestOwnDelayDoesNotChangeTheLimit(t *testing.T) {
	t.Parallel()

	for name, own := range map[string]time.Duration{"backend": 0, "gateway": 20 * time.Millisecond, "gateway_in_part": 6 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				u, o := stubbed(Config{})
				calls := func(inFlight int, took time.Duration) {
					var running sync.WaitGroup
					for range inFlight {
						running.Go(func() {
							for range 50 {
								_ = u.call(t.Context(), o, rpcGet, func(context.Context, any, []grpc.CallOption) error {
									time.Sleep(took)
									return nil
								})
							}
						})
					}

					running.Wait()
				}

				calls(2, time.Millisecond)

				u.delay = func(time.Time) time.Duration { return own }
				before, _ := u.limiter.Limit()

				calls(150, 21*time.Millisecond)

				if after, _ := u.limiter.Limit(); (after != before) != (own == 0) {
					t.Errorf("the limit was %d and is %d", before, after)
				}
			})
		})
	}
}

// Two calls at a time are no reason to let more through, however fast they are.
func TestLimitThatIsNotUsedDoesNotGrow(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		u, o := stubbed(Config{})
		before, _ := u.limiter.Limit()

		for range 2000 {
			_ = u.call(t.Context(), o, rpcGet, func(context.Context, any, []grpc.CallOption) error {
				time.Sleep(10 * time.Millisecond)
				return nil
			})
		}

		if after, _ := u.limiter.Limit(); after != before {
			t.Errorf("the limit was %d and is %d", before, after)
		}
	})
}

// Replies that the gateway was late to read do not make its calls slow.
func TestOwnDelayDoesNotMakeCallsSlow(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		delay time.Duration
		want  breaker.State
	}{
		"backend": {0, breaker.Open},
		"gateway": {100 * time.Millisecond, breaker.Closed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				slow := strict
				slow.SlowAfter, slow.SlowRatio = 50*time.Millisecond, 1

				u, o := stubbed(Config{Upstream: config.Upstream{Breaker: slow}})
				u.delay = func(time.Time) time.Duration { return tt.delay }

				if err := u.call(t.Context(), o, rpcGet, func(context.Context, any, []grpc.CallOption) error {
					time.Sleep(200 * time.Millisecond)
					return nil
				}); err != nil {
					t.Fatal(err)
				}

				if got := u.breaker.State(); got != tt.want {
					t.Errorf("the breaker is %v, want %v", got, tt.want)
				}
			})
		})
	}
}
