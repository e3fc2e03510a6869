package batch

import (
	"context"
	"sync"
	"time"
)

// work is the context of calls that several callers wait for. It has the values of the first of them and the deadline of the whole
// request, and ends when no caller waits any more: with the error of the last one's context, so that a backend that was too slow
// does not look like a caller that went away.
type work struct {
	first, request context.Context //nolint:containedctx // It is a context itself.

	done chan struct{}
	// waiters are guarded by the lock of calls.
	waiters int

	mu    sync.Mutex
	err   error
	after map[*func()]struct{}
}

func (w *work) begin(first, request context.Context) {
	w.first, w.request, w.done = first, request, make(chan struct{})
}

// Deadline implements context.Context.
func (w *work) Deadline() (deadline time.Time, ok bool) { return w.request.Deadline() }

// Done implements context.Context.
func (w *work) Done() <-chan struct{} { return w.done }

// Value implements context.Context.
func (w *work) Value(key any) any { return w.first.Value(key) }

// Err implements context.Context.
func (w *work) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.err
}

// AfterFunc lets package context tell contexts made of this one without a goroutine for each.
func (w *work) AfterFunc(f func()) (stop func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.err != nil {
		go f()

		return func() bool { return false }
	}

	if w.after == nil {
		w.after = map[*func()]struct{}{}
	}

	w.after[&f] = struct{}{}

	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()

		_, ok := w.after[&f]
		delete(w.after, &f)

		return ok
	}
}

// end ends the context.
func (w *work) end(err error) {
	w.mu.Lock()

	if w.err != nil {
		w.mu.Unlock()

		return
	}

	w.err = err
	after := w.after
	w.after = nil

	close(w.done)
	w.mu.Unlock()

	for f := range after {
		(*f)()
	}
}
