package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

const hedgeAfter = 50 * time.Millisecond

// plan is what becomes of one of the two calls: after a time it is answered, with its name or an error.
type plan struct {
	takes time.Duration
	err   error
}

// carryOut answers calls as planned, the first and the second, and counts them.
func carryOut(made *atomic.Int32, plans ...plan) invoker {
	return func(ctx context.Context, reply any, opts []grpc.CallOption) error {
		n := int(made.Add(1)) - 1
		if n >= len(plans) {
			return status.Error(codes.Internal, "a call too many")
		}

		select {
		case <-time.After(plans[n].takes):
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}

		if plans[n].err != nil {
			return plans[n].err
		}

		name := fmt.Sprintf("call %d", n+1)
		reply.(*orderv1.Order).OrderId = name

		for _, opt := range opts {
			switch opt := opt.(type) {
			case grpc.HeaderCallOption:
				*opt.HeaderAddr = metadata.Pairs("from", name)
			case grpc.TrailerCallOption:
				*opt.TrailerAddr = metadata.Pairs("from", name)
			}
		}

		return nil
	}
}

func hedgedUpstream() (*upstream, *ends) {
	return stubbed(Config{Upstream: config.Upstream{Breaker: lenient}, Methods: map[string]policy.Policy{rpcGet: {Retry: &policy.Retry{
		MaxAttempts: 3, Codes: []codes.Code{codes.Unavailable}, HedgeAfter: hedgeAfter,
	}}}})
}

func TestHedge(t *testing.T) {
	t.Parallel()

	notFound := status.Error(codes.NotFound, "")
	otherGone := status.Error(codes.Unavailable, "the other is gone")

	const (
		early = hedgeAfter / 2
		late  = 2 * hedgeAfter
		never = time.Hour
	)

	tests := []struct {
		name  string
		plans []plan
		// made is how many calls there are, from whom the answer is, and after how long.
		made int32
		from string
		err  error
		took time.Duration
	}{
		{"answered_in_time", []plan{{early, nil}}, 1, "call 1", nil, early},
		{"an_error_in_time_counts_at_once", []plan{{early, errGone}}, 1, "", errGone, early},
		{"the_second_is_faster", []plan{{never, nil}, {early, nil}}, 2, "call 2", nil, hedgeAfter + early},
		{"the_first_is_faster_after_all", []plan{{late, nil}, {never, nil}}, 2, "call 1", nil, late},
		{"the_first_fails_while_the_second_works", []plan{{late, errGone}, {late, nil}}, 2, "call 2", nil, hedgeAfter + late},
		{"the_second_fails_while_the_first_works", []plan{{never, nil}, {early, errGone}}, 2, "call 1", nil, never},
		{"both_fail", []plan{{late, errGone}, {late, otherGone}}, 2, "", errGone, hedgeAfter + late},
		{"what_is_not_found_is_an_answer", []plan{{never, nil}, {early, notFound}}, 2, "", notFound, hedgeAfter + early},
		{"also_of_the_first", []plan{{late, notFound}, {never, nil}}, 2, "", notFound, late},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				var (
					made            atomic.Int32
					header, trailer metadata.MD
				)

				u, o := hedgedUpstream()
				next := carryOut(&made, tt.plans...)
				reply := &orderv1.Order{}
				start := time.Now()

				err := u.unary(o)(t.Context(), rpcGet, &orderv1.GetOrderRequest{}, reply, nil,
					func(ctx context.Context, _ string, _, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
						return next(ctx, reply, opts)
					}, grpc.Header(&header), grpc.Trailer(&trailer))

				if took := time.Since(start); !errors.Is(err, tt.err) || took != tt.took {
					t.Errorf("got %v after %s, want %v after %s", err, took, tt.err, tt.took)
				}

				// Longer than anything that was left behind would take.
				time.Sleep(2 * never)

				if made.Load() != tt.made {
					t.Errorf("%d calls were made, want %d", made.Load(), tt.made)
				}

				if tt.err == nil && (header.Get("from")[0] != tt.from || trailer.Get("from")[0] != tt.from) {
					t.Errorf("header %v, trailer %v; want those of %s", header, trailer, tt.from)
				}

				if reply.GetOrderId() != tt.from {
					t.Errorf("the answer is that of %q, want %q", reply.GetOrderId(), tt.from)
				}

				if len(o.codes) != 1 || o.codes[0] != status.Code(tt.err) {
					t.Errorf("observed %v; both calls are one", o.codes)
				}
			})
		})
	}
}

func TestHedgeEndsWithTheCaller(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int32

		u, o := hedgedUpstream()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)

		defer cancel()

		err := u.call(ctx, o, rpcGet, carryOut(&made, plan{takes: time.Hour}, plan{takes: time.Hour}))
		if status.Code(err) != codes.DeadlineExceeded || made.Load() != 2 {
			t.Errorf("got %v after %d calls", err, made.Load())
		}
	})
}

func TestPanicInASecondCallIsAnError(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int32

		u, o := hedgedUpstream()

		err := u.call(t.Context(), o, rpcGet, func(ctx context.Context, _ any, _ []grpc.CallOption) error {
			if made.Add(1) == 2 {
				panic("at the disco")
			}

			<-ctx.Done()

			return status.FromContextError(ctx.Err()).Err()
		})
		if status.Code(err) != codes.Internal {
			t.Errorf("got %v", err)
		}
	})
}

// A second call would go to the same address.
func TestCallsByRingHashAreNotHedged(t *testing.T) {
	t.Parallel()

	hedging := Config{Upstream: config.Upstream{Breaker: lenient}, Methods: map[string]policy.Policy{rpcGet: {Retry: &policy.Retry{HedgeAfter: hedgeAfter}}}}

	for balancing, want := range map[string]bool{"": true, config.RoundRobin: true, config.RingHash: false} {
		config := hedging
		config.Balancing = balancing

		u, _ := stubbed(config)
		if got := u.methods[rpcGet].hedge != nil; got != want {
			t.Errorf("%q: hedged: %t", balancing, got)
		}

		if got := ownShare(config) == extraLoad/2; got != want {
			t.Errorf("%q: half of the extra load is kept for hedges: %t", balancing, got)
		}
	}
}

// A backend that is slow for everybody must not get twice the load.
func TestHedgesAreAFifthOfCallsAtMost(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		const calls = 1000

		var made atomic.Int32

		u, o := hedgedUpstream()

		for range calls {
			if err := u.call(t.Context(), o, rpcGet, func(context.Context, any, []grpc.CallOption) error {
				made.Add(1)
				time.Sleep(2 * hedgeAfter)

				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}

		if got := made.Load(); got < calls+calls/20 || got > calls+calls/5 {
			t.Errorf("%d calls were made for %d", got, calls)
		}
	})
}

func TestReplyThatIsNoMessageIsNotHedged(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		made := 0
		u, o := hedgedUpstream()

		if err := u.unary(o)(t.Context(), rpcGet, &orderv1.GetOrderRequest{}, new(string), nil,
			func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				made++

				time.Sleep(2 * hedgeAfter)

				return nil
			}); err != nil || made != 1 {
			t.Errorf("got %v after %d calls", err, made)
		}
	})
}
