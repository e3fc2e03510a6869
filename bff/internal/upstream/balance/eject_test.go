package balance_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func TestAddressThatAnswersUnavailableIsLeftOutAndComesBack(t *testing.T) {
	t.Parallel()

	for _, policy := range []string{config.RoundRobin, config.LeastRequest, config.WeightedRoundRobin} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()

			seen := &observer{}
			group := balance.NewGroup("order", settings(config.Upstream{Ejection: config.Ejection{Time: 2 * time.Second}}), seen)
			list := backends(t, 3)
			bad := list[0]
			client, _ := connect(t, group, policy, nil, addresses(list)...)
			allReady(t, group, client, addresses(list)...)

			bad.does(answers(codes.Unavailable))
			eventually(t, "the address is left out", func() bool {
				_, _ = call(t, client)

				return states(group)[bad.name] == "ejected"
			})

			passedBy(t, client, bad)

			before := bad.calls.Load()

			if failed := tally(t, client, 60)[""]; failed > 0 || bad.calls.Load() != before {
				t.Errorf("%d of 60 calls failed, %d reached it", failed, bad.calls.Load()-before)
			}

			if got := seen.Reasons(); len(got) != 1 || got[0] != "order failures" {
				t.Errorf("observed %q", got)
			}

			bad.does(nil)
			eventually(t, "it gets calls again", func() bool {
				name, err := call(t, client)
				if err != nil {
					t.Error(err)
				}

				return name == bad.name
			})
		})
	}
}

// passedBy waits until calls do not reach the backend: the policy that is wrapped learns of an ejection a moment later.
func passedBy(tb testing.TB, client orderv1.OrderServiceClient, b *backend) {
	tb.Helper()

	eventually(tb, "calls pass it by", func() bool {
		before := b.calls.Load()
		tally(tb, client, 20)

		return b.calls.Load() == before
	})
}

func TestAnswersAndImpatienceLeaveNobodyOut(t *testing.T) {
	t.Parallel()

	hang := func(ctx context.Context) error {
		<-ctx.Done()

		return ctx.Err()
	}
	within := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}

	tests := []struct {
		name    string
		does    func(context.Context) error
		context func(context.Context) (context.Context, context.CancelFunc)
		want    codes.Code
	}{
		{"not_found", answers(codes.NotFound), within(time.Minute), codes.NotFound},
		{"invalid_argument", answers(codes.InvalidArgument), within(time.Minute), codes.InvalidArgument},
		{"internal", answers(codes.Internal), within(time.Minute), codes.Internal},
		{"canceled_by_the_client", hang, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(10*time.Millisecond, cancel)

			return ctx, cancel
		}, codes.Canceled},
		{"hardly_any_time", hang, within(30 * time.Millisecond), codes.DeadlineExceeded},
		{"less_time_than_the_route_allows", hang, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(reqinfo.NewContext(ctx, &reqinfo.Record{ClientDeadline: true}), 200*time.Millisecond)
		}, codes.DeadlineExceeded},
		// A slow sender's call once counted against the address.
		{"less_time_than_the_client_took_to_send", hang, func(ctx context.Context) (context.Context, context.CancelFunc) {
			rec := &reqinfo.Record{Start: time.Now().Add(-10 * time.Second)}

			return context.WithTimeout(reqinfo.NewContext(ctx, rec), 200*time.Millisecond)
		}, codes.DeadlineExceeded},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			seen := &observer{}
			group := balance.NewGroup("order", settings(config.Upstream{}), seen)
			list := backends(t, 2)
			client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
			allReady(t, group, client, addresses(list)...)

			for _, b := range list {
				b.does(tt.does)
			}

			for range 30 {
				ctx, cancel := tt.context(t.Context())
				_, err := client.GetOrder(ctx, &orderv1.GetOrderRequest{})

				cancel()

				if got := codeOf(err); got != tt.want {
					t.Errorf("got %s", got)
				}
			}

			if got := seen.Reasons(); len(got) != 0 {
				t.Errorf("observed %q", got)
			}

			for _, b := range list {
				b.does(nil)
			}

			if got := tally(t, client, 10); got[list[0].name] != 5 || got[list[1].name] != 5 {
				t.Errorf("calls went to %v", got)
			}
		})
	}
}

func TestTooLateIsAFailure(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	list := backends(t, 2)
	client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
	allReady(t, group, client, addresses(list)...)

	list[0].does(func(ctx context.Context) error {
		<-ctx.Done()

		return ctx.Err()
	})

	eventually(t, "the address is left out", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()

		_, _ = client.GetOrder(ctx, &orderv1.GetOrderRequest{})

		return states(group)[list[0].name] == "ejected"
	})
}

// An address whose own limit is used up, or that is broken, once got its share of the calls for good: a third of them failed.
func TestAddressThatIsAloneWithErrorsIsLeftOut(t *testing.T) {
	t.Parallel()

	for _, policy := range []string{config.RoundRobin, config.LeastRequest, config.WeightedRoundRobin} {
		for _, code := range []codes.Code{codes.ResourceExhausted, codes.Internal} {
			t.Run(policy+"_"+code.String(), func(t *testing.T) {
				t.Parallel()

				seen := &observer{}
				group := balance.NewGroup("order", settings(config.Upstream{Ejection: config.Ejection{Time: time.Minute}}), seen)
				list := backends(t, 3)
				bad := list[0]
				client, _ := connect(t, group, policy, nil, addresses(list)...)
				allReady(t, group, client, addresses(list)...)

				bad.does(answers(code))
				eventually(t, "the address is left out", func() bool {
					_, _ = call(t, client)

					return states(group)[bad.name] == "ejected"
				})

				passedBy(t, client, bad)

				before := bad.calls.Load()
				if failed := tally(t, client, 60)[""]; failed > 0 || bad.calls.Load() != before {
					t.Errorf("%d of 60 calls failed, %d reached it", failed, bad.calls.Load()-before)
				}

				if got := seen.Reasons(); len(got) != 1 || got[0] != "order outlier" {
					t.Errorf("observed %q", got)
				}
			})
		}
	}
}

// A backend that limits everybody is not to be served by fewer addresses.
func TestErrorsOfAllAddressesLeaveNobodyOut(t *testing.T) {
	t.Parallel()

	for _, ofTen := range []int64{5, 8, 10} {
		t.Run(fmt.Sprintf("%d_of_ten", ofTen), func(t *testing.T) {
			t.Parallel()

			seen := &observer{}
			group := balance.NewGroup("order", settings(config.Upstream{}), seen)
			list := backends(t, 3)
			client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
			allReady(t, group, client, addresses(list)...)

			// It is one limit for all of them.
			var made atomic.Int64
			for _, b := range list {
				b.does(func(context.Context) error {
					if made.Add(7)%10 < ofTen {
						return status.Error(codes.ResourceExhausted, "too many calls")
					}

					return nil
				})
			}

			if got := tally(t, client, 600); got[""] != 60*int(ofTen) || len(seen.Reasons()) != 0 {
				t.Errorf("calls went to %v, observed %q", got, seen.Reasons())
			}
		})
	}
}

func TestTheLastAddressIsNeverLeftOut(t *testing.T) {
	t.Parallel()

	for _, n := range []int{1, 2, 3} {
		t.Run([]string{"", "alone", "of_two", "of_three"}[n], func(t *testing.T) {
			t.Parallel()

			// Even if all might be.
			group := balance.NewGroup("order", settings(config.Upstream{Ejection: config.Ejection{MaxRatio: 1, Time: time.Minute}}), nil)
			list := backends(t, n)
			client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
			allReady(t, group, client, addresses(list)...)

			for _, b := range list {
				b.does(answers(codes.Unavailable))
			}

			ejected := func() (count int) {
				for _, state := range states(group) {
					if state == "ejected" {
						count++
					}
				}

				return count
			}

			eventually(t, "all others are left out", func() bool {
				tally(t, client, 10)

				return ejected() == n-1
			})

			if tally(t, client, 50); ejected() != n-1 {
				t.Errorf("now it is %v", states(group))
			}
		})
	}
}

func TestNoMoreThanTheRatioIsLeftOut(t *testing.T) {
	t.Parallel()

	seen := &observer{}
	group := balance.NewGroup("order", settings(config.Upstream{Ejection: config.Ejection{Time: time.Minute}}), seen)
	list := backends(t, 5)
	client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
	allReady(t, group, client, addresses(list)...)

	for _, b := range list {
		b.does(answers(codes.Unavailable))
	}

	tally(t, client, 200)

	if got := seen.Reasons(); len(got) != 2 {
		t.Errorf("%d of 5 were left out, at most half may be", len(got))
	}
}

func TestAddressThatIsLeftOutIsTakenBackWhenTheOthersAreGone(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{Ejection: config.Ejection{Time: time.Minute}}), nil)
	bad, good := &backend{}, &backend{}
	serve(t, bad)
	server := serve(t, good)
	client, _ := connect(t, group, config.RoundRobin, nil, bad.name, good.name)
	allReady(t, group, client, bad.name, good.name)

	bad.does(answers(codes.Unavailable))
	eventually(t, "the address is left out", func() bool {
		tally(t, client, 10)

		return states(group)[bad.name] == "ejected"
	})
	bad.does(nil)

	server.Stop()
	eventually(t, "it answers again", func() bool {
		name, _ := call(t, client)

		return name == bad.name
	})
}

func TestAddressThatIsLeftOutStaysSoWithANewConnection(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{Ejection: config.Ejection{Time: time.Minute}}), nil)
	bad, good := &backend{}, &backend{}
	server := serve(t, bad)
	serve(t, good)

	connected := make(chan struct{}, 10)
	client, _ := connect(t, group, config.RoundRobin, nil, bad.name, good.name)
	allReady(t, group, client, bad.name, good.name)

	bad.does(answers(codes.Unavailable))
	eventually(t, "the address is left out", func() bool {
		tally(t, client, 10)

		return states(group)[bad.name] == "ejected"
	})

	server.Stop()
	serveWith(t, bad, checks{check: func(context.Context) (*healthpb.HealthCheckResponse, error) {
		select {
		case connected <- struct{}{}:
		default:
		}

		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
	}})
	<-connected

	before := bad.calls.Load()
	if got := tally(t, client, 50); got[good.name] != 50 || bad.calls.Load() != before {
		t.Errorf("calls went to %v", got)
	}
}

func TestDisabledEjectionLeavesNobodyOut(t *testing.T) {
	t.Parallel()

	seen := &observer{}
	group := balance.NewGroup("order", settings(config.Upstream{Ejection: config.Ejection{Disabled: true}}), seen)
	list := backends(t, 2)
	client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
	allReady(t, group, client, addresses(list)...)
	list[0].does(answers(codes.Unavailable))

	if got := tally(t, client, 40); got[""] != 20 || len(seen.Reasons()) != 0 {
		t.Errorf("calls went to %v, observed %q", got, seen.Reasons())
	}
}
