package composite_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
)

// pending are calls that wait until no goroutine can make another.
type pending struct {
	scope *scope.Scope

	mu      sync.Mutex
	waiting []chan struct{}
	// sent are how many calls were sent together, each time.
	sent []int
}

func withPending(t *testing.T) (context.Context, *pending) {
	t.Helper()

	ctx, s := scope.Open(t.Context(), false)
	p := &pending{scope: s}
	s.Local(func() scope.Local { return p })

	return ctx, p
}

func (p *pending) Idle() {
	p.mu.Lock()
	defer p.mu.Unlock()

	if len(p.waiting) == 0 {
		return
	}

	p.sent = append(p.sent, len(p.waiting))
	p.scope.Wake(len(p.waiting))

	for _, w := range p.waiting {
		close(w)
	}

	p.waiting = nil
}

func (p *pending) Close() {}

// call waits until the calls are sent.
func (p *pending) call(ctx context.Context) error {
	sent := make(chan struct{})

	p.mu.Lock()
	p.waiting = append(p.waiting, sent)
	p.mu.Unlock()

	scope.Park(ctx)
	p.scope.Leave()
	<-sent
	p.scope.Woken()
	scope.Resume(ctx)

	return nil
}

// All that can be sent together is, however the goroutines are scheduled.
func TestCallsThatWaitAreSentTogether(t *testing.T) {
	t.Parallel()

	items := make([]int, 100)

	for _, tt := range []struct {
		name string
		run  func(ctx context.Context, p *pending) error
		want []int
	}{
		{"each", func(ctx context.Context, p *pending) error {
			return composite.Each(ctx, items, 0, func(ctx context.Context, _, _ int) error { return p.call(ctx) })
		}, []int{100}},
		{"each_with_a_limit", func(ctx context.Context, p *pending) error {
			return composite.Each(ctx, items, 10, func(ctx context.Context, _, _ int) error { return p.call(ctx) })
		}, []int{100}},
		{"each_with_a_limit_twice", func(ctx context.Context, p *pending) error {
			return composite.Each(ctx, items, 1, func(ctx context.Context, _, _ int) error {
				return errors.Join(p.call(ctx), p.call(ctx))
			})
		}, []int{100, 100}},
		{"one_after_the_other", func(_ context.Context, p *pending) error {
			return errors.Join(p.call(t.Context()), p.call(t.Context()))
		}, []int{1, 1}},
		{"branches", func(ctx context.Context, p *pending) error {
			a, b := composite.Required("order", p.call), composite.Required("buyer", p.call)

			return composite.Run(ctx, page(), a, b,
				composite.Required("payments", p.call).After(a, b), composite.Required("notifications", p.call).After(b))
		}, []int{2, 2}},
		{"lists_in_branches", func(ctx context.Context, p *pending) error {
			list := func(ctx context.Context) error {
				return composite.Each(ctx, items, 3, func(ctx context.Context, _, _ int) error { return p.call(ctx) })
			}
			first := composite.Required("order", func(context.Context) error { return nil })

			return composite.Run(ctx, page(), first,
				composite.Required("buyer", list).After(first), composite.Required("payments", list).After(first))
		}, []int{200}},
		{"branches_in_a_list", func(ctx context.Context, p *pending) error {
			return composite.Each(ctx, items[:20], 0, func(ctx context.Context, _, _ int) error {
				return composite.Run(ctx, page(), composite.Required("order", p.call), composite.Required("buyer", p.call))
			})
		}, []int{40}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				ctx, p := withPending(t)

				if err := tt.run(ctx, p); err != nil {
					t.Error(err)
				}

				if got, n := p.sent, p.scope.Active(); len(got) != len(tt.want) || got[0] != tt.want[0] || got[len(got)-1] != tt.want[len(got)-1] || n != 1 {
					t.Errorf("sent %d together, want %d; %d goroutines count in the end", got, tt.want, n)
				}
			})
		})
	}
}

func page() *orderpagev1.OrderPage { return &orderpagev1.OrderPage{} }

// A goroutine that counts for ever would keep every batch waiting for its time; one too few would send it too early.
func TestCountReturnsToOneHoweverBranchesEnd(t *testing.T) {
	t.Parallel()

	ok := func(context.Context) error { return nil }
	bad := func(context.Context) error { return errors.New("bad") }
	stuck := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	panics := func(context.Context) error { panic("on purpose") }
	exits := func(context.Context) error { runtime.Goexit(); return nil }

	for name, first := range map[string]func(context.Context) error{"ok": ok, "bad": bad, "stuck": stuck, "panic": panics, "exit": exits} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				ctx, p := withPending(t)

				limited, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()

				for _, required := range []bool{true, false} {
					b := composite.Optional("order", first)
					if required {
						b = composite.Required("order", first)
					}

					c := composite.Optional("payments", p.call).After(b)

					_ = composite.Run(limited, page(), b, composite.Optional("buyer", ok), c, composite.Optional("notifications", stuck).After(b, c))
					_ = composite.Each(limited, make([]int, 20), 3, func(ctx context.Context, i, _ int) error {
						if i == 7 {
							return first(ctx)
						}

						return p.call(ctx)
					})
				}

				synctest.Wait()

				if _, waking := p.scope.Progress(); p.scope.Active() != 1 || waking {
					t.Errorf("%d goroutines count, and some are to wake up: %t", p.scope.Active(), waking)
				}
			})
		})
	}
}

// A limit is kept by all that run, also by those that have waited for a batch.
func TestLimitOfEachHoldsForThoseThatRun(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		ctx, p := withPending(t)

		var running, most atomic.Int32

		busy := func() {
			now := running.Add(1)
			for {
				if was := most.Load(); now <= was || most.CompareAndSwap(was, now) {
					break
				}
			}

			time.Sleep(time.Second)
			running.Add(-1)
		}

		err := composite.Each(ctx, make([]int, 20), 3, func(ctx context.Context, _, _ int) error {
			busy()

			err := p.call(ctx)

			busy()

			return err
		})
		if err != nil || most.Load() != 3 || len(p.sent) != 1 || p.sent[0] != 20 {
			t.Errorf("%v: %d ran at a time, %d were sent together", err, most.Load(), p.sent)
		}
	})
}
