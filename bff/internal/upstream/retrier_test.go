package upstream

import (
	"context"
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
)

// retriedUpstream retries calls to rpcGet, and may hedge them.
func retriedUpstream(hedgeAfter time.Duration) (*upstream, *ends) {
	return stubbed(Config{Upstream: config.Upstream{Breaker: lenient}, Methods: map[string]policy.Policy{rpcGet: {Retry: &policy.Retry{
		MaxAttempts: 3, Codes: []codes.Code{codes.Unavailable}, HedgeAfter: hedgeAfter,
		InitialBackoff: time.Second, MaxBackoff: time.Minute,
	}}}})
}

// failAfterHeader ends a call between its header and its message.
func failAfterHeader(opts []grpc.CallOption) error {
	for _, opt := range opts {
		if opt, ok := opt.(grpc.HeaderCallOption); ok {
			*opt.HeaderAddr = metadata.Pairs("content-type", "application/grpc")
		}
	}

	return errGone
}

// Once, calls whose client had gone took tokens of the budget, and calls that could be made again were not.
func TestCallsWithoutTimeLeftCostNoBudget(t *testing.T) {
	t.Parallel()

	for name, err := range map[string]error{"after_header": errGone, "cancelled": status.Error(codes.Canceled, "")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			u, o := retriedUpstream(0)
			made := 0
			ctx, cancel := context.WithCancel(t.Context())

			got := u.call(ctx, o, rpcGet, func(_ context.Context, _ any, opts []grpc.CallOption) error {
				made++

				cancel()
				_ = failAfterHeader(opts)

				return err
			})

			budget := u.methods[rpcGet].budget
			if status.Code(got) != status.Code(err) || made != 1 || budget.tokens.Load() != budget.limit {
				t.Errorf("got %v after %d calls, with %d of %d tokens left", got, made, budget.tokens.Load(), budget.limit)
			}
		})
	}
}

// Once, hedges and the calls of retriers had a budget each, and both legs of a hedged call earned tokens.
func TestHedgesAndRetriersShareABudget(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		const calls = 1000

		var made atomic.Int32

		u, o := retriedUpstream(hedgeAfter)
		budget := u.methods[rpcGet].budget

		for range calls {
			_ = u.call(t.Context(), o, rpcGet, func(_ context.Context, _ any, opts []grpc.CallOption) error {
				made.Add(1)
				time.Sleep(2 * hedgeAfter)

				return failAfterHeader(opts)
			})
		}

		// What was there at first, and half of a fifth of the calls.
		most := calls + budget.limit/token + calls/10
		if got := int64(made.Load()); got > most || got < most-5 {
			t.Errorf("%d attempts for %d calls, want %d", got, calls, most)
		}
	})
}

func TestPausesOfTheRetrierGrow(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		u, o := retriedUpstream(0)

		var at []time.Time

		_ = u.call(t.Context(), o, rpcGet, func(context.Context, any, []grpc.CallOption) error {
			at = append(at, time.Now())

			return status.Error(codes.Canceled, "the server shuts down")
		})

		if len(at) != 3 {
			t.Fatalf("%d attempts", len(at))
		}

		for i, want := range []time.Duration{time.Second, 2 * time.Second} {
			if got := at[i+1].Sub(at[i]); got < want*8/10 || got > want*12/10 {
				t.Errorf("pause %d is %s, want about %s", i, got, want)
			}
		}
	})
}

// Targets of a control plane are retried as it says.
func TestNoRetrierWhereAControlPlaneDecides(t *testing.T) {
	t.Parallel()

	rules := map[string]policy.Policy{rpcGet: {Retry: &policy.Retry{MaxAttempts: 3, Codes: []codes.Code{codes.Unavailable}}}}

	for target, want := range map[string]bool{"xds:///order": false, "dns:///order:9000": true} {
		u, _ := stubbed(Config{Upstream: config.Upstream{Target: target}, Methods: rules})
		if got := u.methods[rpcGet].retrier != nil; got != want {
			t.Errorf("%s: it has a retrier: %t", target, got)
		}
	}
}

// gRPC takes a token of its bucket for each call that ends with a code of the service config, even if its client has gone.
func TestServiceConfigLeavesOutCancelled(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		codes []codes.Code
		want  int
	}{
		"default": {[]codes.Code{codes.Unavailable}, 1},
		"both":    {[]codes.Code{codes.Canceled, codes.Unavailable}, 1},
		"alone":   {[]codes.Code{codes.Canceled}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := byGRPC(row.codes); len(got) != row.want || row.want == 1 && got[0] != codes.Unavailable {
				t.Errorf("gRPC retries %v", got)
			}

			rules := map[string]policy.Policy{rpcGet: {Retry: &policy.Retry{
				MaxAttempts: 3, Codes: row.codes, InitialBackoff: time.Millisecond, MaxBackoff: time.Second,
			}}}

			// gRPC refuses a policy without codes.
			conn, err := dial(Config{Upstream: config.Upstream{Addresses: []string{"127.0.0.1:1"}}.WithDefaults(), Methods: rules}, newGroup("order", Config{}, Deps{Observer: &ends{}}), nil)
			if err != nil {
				t.Fatal(err)
			}

			_ = conn.Close()
		})
	}
}

func TestSentSizes(t *testing.T) {
	t.Parallel()

	var sizes sentSizes

	for _, size := range []int{5, 3, 9, 9, 7} {
		sizes.add(size)
	}

	for size, want := range map[int]bool{5: true, 9: true, 8: false, 0: false} {
		if sizes.has(size) != want {
			t.Errorf("%d: %t", size, !want)
		}
	}
}
