package scope_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// local counts how often a scope was idle, and whether it is closed.
type local struct {
	idle   int
	closed bool
}

func (l *local) Idle()  { l.idle++ }
func (l *local) Close() { l.closed = true }

func TestScopeIsIdleWhenNobodyCounts(t *testing.T) {
	t.Parallel()

	ctx, s := scope.Open(t.Context(), true)
	if scope.From(ctx) != s || scope.From(t.Context()) != nil || !s.Stream() {
		t.Error("the context does not carry the scope")
	}

	l := &local{}
	s.Local(func() scope.Local { return l })

	if s.Local(func() scope.Local { return &local{} }) != l {
		t.Error("there are two")
	}

	s.Wake(1)
	s.Leave()

	if _, waking := s.Progress(); l.idle != 0 || !waking {
		t.Errorf("idle %d times, though one is about to run", l.idle)
	}

	s.Woken()

	before, waking := s.Progress()

	s.Leave()

	if after, _ := s.Progress(); l.idle != 1 || waking || before == after {
		t.Errorf("idle %d times; one is about to run: %t; progress from %d to %d", l.idle, waking, before, after)
	}

	s.Enter()
	s.Close()

	if s.Active() != 1 || !l.closed {
		t.Errorf("%d count; closed: %t", s.Active(), l.closed)
	}
}

// Outside of a scope, all of it does nothing.
func TestNoScope(t *testing.T) {
	t.Parallel()

	var s *scope.Scope

	s.Enter()
	s.Wake(1)
	s.Woken()
	s.Leave()

	fork := s.Fork()
	g := new(scope.Goroutine)
	fork.Start(g)
	g.Begin()
	g.End()

	failed := errors.New("failed")
	if err := fork.Wait(func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}

	scope.Park(t.Context())
	scope.Resume(t.Context())

	if _, slot, err := s.Slots(0).Acquire(t.Context()); slot != nil || err != nil {
		t.Errorf("got %v, %v", slot, err)
	}
}

// A slot that nobody waits for any more is for the next.
func TestSlots(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		_, s := scope.Open(t.Context(), false)
		slots := s.Slots(1)

		held, slot, err := slots.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		gone, cancel := context.WithCancel(t.Context())
		results := make(chan error, 2)

		s.Wake(2)

		for _, ctx := range []context.Context{gone, t.Context()} {
			go func() {
				s.Woken()

				_, own, err := slots.Acquire(ctx)
				own.Release()
				results <- err

				s.Leave()
			}()

			synctest.Wait()
		}

		cancel()

		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("the first got %v", err)
		}

		// It is free while its holder waits for a batch, and taken again afterwards.
		scope.Park(held)

		if err := <-results; err != nil {
			t.Errorf("the second got %v", err)
		}

		scope.Resume(held)

		if _, _, err := slots.Acquire(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}

		slot.Release()
		slot.Release()
		synctest.Wait()

		if _, again, err := slots.Acquire(t.Context()); again == nil || err != nil || s.Active() != 1 {
			t.Errorf("got %v, %v; %d count", again, err, s.Active())
		}
	})
}

// Once, two goroutines of one item waited for the same slot: one of them for the slot that its own item held.
func TestGoroutinesOfOneSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, s := scope.Open(t.Context(), false)
		slots := s.Slots(1)

		first, slot, err := slots.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}

		s.Enter()
		scope.Park(first)

		_, other, err := slots.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}

		var resumed sync.WaitGroup

		resumed.Go(func() { scope.Resume(first) })
		synctest.Wait()
		scope.Park(first)
		resumed.Go(func() { scope.Resume(first) })
		synctest.Wait()
		other.Release()
		resumed.Wait()
		slot.Release()

		if _, last, err := slots.Acquire(ctx); err != nil {
			t.Error(err)
		} else {
			last.Release()
		}
	})
}
