package scope

import (
	"context"
	"slices"
	"sync"
)

// Slots bound how many goroutines of a fork run at a time. One that waits for a batch gives its slot back meanwhile: otherwise, no
// batch could be larger than the bound. Nil is no bound.
type Slots struct {
	scope *Scope

	mu   sync.Mutex
	free int
	// queue are those who wait for a slot, the first of them first.
	queue []chan struct{}
}

// Slots returns so many; zero or less is no bound.
func (s *Scope) Slots(n int) *Slots {
	if n <= 0 {
		return nil
	}

	return &Slots{scope: s, free: n}
}

// Slot is one that a goroutine holds, unless it waits for a batch.
type Slot struct {
	slots *Slots
	// ctx is that of Acquire, which lasts as long as the goroutine may need the slot.
	ctx context.Context //nolint:containedctx // See above.

	mu sync.Mutex
	// parked are the goroutines that wait for a batch: those of the context that carries the slot, which may be several.
	parked int
	// held reports that the slot is held, acquiring that one of the goroutines waits for it, and ended that it is needed no more.
	held, acquiring, ended bool
}

type slotKey struct{}

// Acquire waits for a slot and returns a context that carries it. The error is that of the context. The caller must release the
// slot. It is for the goroutine that starts those of a Fork.
func (s *Slots) Acquire(ctx context.Context) (context.Context, *Slot, error) {
	if s == nil {
		return ctx, nil, nil
	}

	if err := s.acquire(ctx, true); err != nil {
		return ctx, nil, err
	}

	slot := &Slot{slots: s, ctx: ctx, held: true}

	return context.WithValue(ctx, slotKey{}, slot), slot, nil
}

// Release gives the slot back for good.
func (s *Slot) Release() {
	if s != nil {
		s.giveBack(func() { s.ended = true })
	}
}

// Park gives back the slot of the context, if it carries one, until Resume.
func Park(ctx context.Context) {
	if s, ok := ctx.Value(slotKey{}).(*Slot); ok {
		s.giveBack(func() { s.parked++ })
	}
}

func (s *Slot) giveBack(change func()) {
	s.mu.Lock()
	change()

	held := s.held
	s.held = false
	s.mu.Unlock()

	if held {
		s.slots.release()
	}
}

// Resume waits for a slot, if Park has given one back, unless the context of Acquire ends. One goroutine waits; others go on
// meanwhile.
func Resume(ctx context.Context) {
	s, ok := ctx.Value(slotKey{}).(*Slot)
	if !ok {
		return
	}

	s.mu.Lock()
	s.parked--
	missing := s.parked == 0 && !s.held && !s.acquiring && !s.ended
	s.acquiring = s.acquiring || missing
	s.mu.Unlock()

	if !missing {
		return
	}

	err := s.slots.acquire(s.ctx, false)

	s.mu.Lock()
	s.acquiring = false
	// Another goroutine may have parked meanwhile, and takes a slot when it resumes.
	s.held = err == nil && s.parked == 0 && !s.ended
	unneeded := err == nil && !s.held
	s.mu.Unlock()

	if unneeded {
		s.slots.release()
	}
}

// acquire takes a slot. The calling goroutine does not count while it waits, and is not about to run then if it starts others.
func (s *Slots) acquire(ctx context.Context, starts bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	s.mu.Lock()

	if s.free > 0 {
		s.free--
		s.mu.Unlock()

		return nil
	}

	granted := make(chan struct{})
	s.queue = append(s.queue, granted)
	s.mu.Unlock()

	if starts {
		s.scope.Woken()
		defer s.scope.starts()
	}

	s.scope.Leave()

	select {
	case <-granted:
		s.scope.Woken()

		return nil
	case <-ctx.Done():
		s.giveUp(granted)

		return ctx.Err()
	}
}

// giveUp ends the wait for a slot. One that has been granted already is for another.
func (s *Slots) giveUp(granted chan struct{}) {
	s.mu.Lock()

	i := slices.Index(s.queue, granted)
	if i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}

	s.mu.Unlock()

	if i >= 0 {
		s.scope.Enter()

		return
	}

	s.scope.Woken()
	s.release()
}

// release gives a slot to the first who waits, who counts from now on.
func (s *Slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.queue) == 0 {
		s.free++

		return
	}

	s.scope.Wake(1)
	close(s.queue[0])
	s.queue = s.queue[1:]
}
