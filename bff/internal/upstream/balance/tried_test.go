package balance_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Retries once went to whatever address the policy chose, often to the one that had just failed.
func TestRetryGoesToAnotherAddress(t *testing.T) {
	t.Parallel()

	for policy := range kinds {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()

			group := balance.NewGroup("order", settings(config.Upstream{Ejection: config.Ejection{Disabled: true}}), nil)
			list := backends(t, 3)
			client, _ := connect(t, group, policy, retrying, addresses(list)...)
			connectAll(t, group, client, addresses(list)...)

			// Two of three fail, and there are three attempts.
			list[0].does(answers(codes.Unavailable))
			list[1].does(answers(codes.Unavailable))

			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					for range 20 {
						ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
						order, err := client.GetOrder(new(balance.Attempts).Count(ctx), &orderv1.GetOrderRequest{})

						cancel()

						if err != nil || order.GetOrderId() != list[2].name {
							t.Errorf("%v, %v", order, err)
						}
					}
				})
			}

			wg.Wait()
		})
	}
}

// connectAll waits until all addresses are ready. Calls of many subjects reach all of them with any policy.
func connectAll(tb testing.TB, group *balance.Group, client orderv1.OrderServiceClient, addresses ...string) {
	tb.Helper()

	n := 0

	eventually(tb, "all are ready", func() bool {
		n++
		ctx := metadata.AppendToOutgoingContext(tb.Context(), balance.SubjectHeader, "user-"+strconv.Itoa(n))
		_, _ = client.GetOrder(ctx, &orderv1.GetOrderRequest{})

		for _, address := range addresses {
			if states(group)[address] != "ready" {
				return false
			}
		}

		return true
	})
}

// A single address is tried again.
func TestRetryWithoutAnotherAddress(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	list := backends(t, 1)
	client, _ := connect(t, group, config.RoundRobin, retrying, addresses(list)...)
	connectAll(t, group, client, addresses(list)...)

	var made atomic.Int64

	list[0].does(func(ctx context.Context) error {
		if made.Add(1) < 3 {
			return answers(codes.Unavailable)(ctx)
		}

		return nil
	})

	if _, err := client.GetOrder(new(balance.Attempts).Count(t.Context()), &orderv1.GetOrderRequest{}); err != nil || made.Load() != 3 {
		t.Errorf("%v after %d attempts", err, made.Load())
	}
}

// A call and its hedge.
func TestSiblingsGoToDifferentAddresses(t *testing.T) {
	t.Parallel()

	for policy := range kinds {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()

			group := balance.NewGroup("order", settings(config.Upstream{}), nil)
			list := backends(t, 3)
			client, _ := connect(t, group, policy, nil, addresses(list)...)
			connectAll(t, group, client, addresses(list)...)

			for range 20 {
				var attempts balance.Attempts

				reached := map[string]bool{}

				for range list {
					order, err := client.GetOrder(attempts.Sibling(t.Context()), &orderv1.GetOrderRequest{})
					if err != nil {
						t.Fatal(err)
					}

					reached[order.GetOrderId()] = true
				}

				if len(reached) != len(list) {
					t.Fatalf("three calls reached %v", reached)
				}
			}
		})
	}
}
