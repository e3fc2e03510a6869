// Package scope knows which goroutines of a composite can still make calls for one request. When none can, because each of them
// waits for a reply or for others, there is no use in waiting for more calls that could be put into a batch.
//
// It makes no calls and knows of none: package batch does, and the kit for composites counts its goroutines here.
package scope

import (
	"context"
	"sync"
	"sync/atomic"
)

// Scope is the run of a composite's method for one request. Its methods are safe for concurrent use, and do nothing on nil, which
// is that of a context outside of such a run.
type Scope struct {
	stream bool
	// active are the goroutines that can still make calls, waking are those of them that have not run since they could.
	active, waking atomic.Int64
	// changes counts what has happened to either.
	changes atomic.Uint64

	mu    sync.Mutex
	local Local
}

// Local is what the calls of a scope have in common.
type Local interface {
	// Idle is called when no goroutine can make a call any more before there is a reply. It must not block.
	Idle()
	// Close is called when the method has returned.
	Close()
}

type contextKey struct{}

// Open begins a scope, in which the calling goroutine counts, and returns a context that carries it. The caller must close it. A
// scope of a stream lasts as long as the stream.
func Open(ctx context.Context, stream bool) (context.Context, *Scope) {
	s := New(stream)

	return context.WithValue(ctx, contextKey{}, s), s
}

// New is Open for a context that carries the scope by having its Value.
func New(stream bool) *Scope {
	s := &Scope{stream: stream}
	s.active.Store(1)

	return s
}

// Value returns the scope for its key; nil for others.
func (s *Scope) Value(key any) any {
	if key == (contextKey{}) {
		return s
	}

	return nil
}

// From returns the scope of a context. Nil: there is none.
func From(ctx context.Context) *Scope {
	s, _ := ctx.Value(contextKey{}).(*Scope)

	return s
}

// Close ends the scope.
func (s *Scope) Close() {
	s.mu.Lock()
	local := s.local
	s.mu.Unlock()

	if local != nil {
		local.Close()
	}
}

// Stream reports whether the method streams.
func (s *Scope) Stream() bool { return s.stream }

// Local returns what the calls of the scope have in common, which the function makes when it is first asked for.
func (s *Scope) Local(first func() Local) Local {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.local == nil {
		s.local = first()
	}

	return s.local
}

// Enter counts the calling goroutine, which has waited.
func (s *Scope) Enter() {
	if s != nil {
		s.active.Add(1)
		s.changes.Add(1)
	}
}

// Wake counts goroutines that another one starts, or wakes up: from before they run, so that nobody takes them for waiting. Each of
// them calls Woken.
func (s *Scope) Wake(n int) {
	if s != nil {
		s.active.Add(int64(n))
		s.waking.Add(int64(n))
		s.changes.Add(1)
	}
}

// Woken says that a goroutine runs for which Wake was called.
func (s *Scope) Woken() {
	if s != nil {
		s.waking.Add(-1)
		s.changes.Add(1)
	}
}

// starts says that the calling goroutine is about to start others, until it calls Woken.
func (s *Scope) starts() {
	if s != nil {
		s.waking.Add(1)
	}
}

// Leave no longer counts a goroutine, which has ended or is going to wait.
func (s *Scope) Leave() {
	if s == nil {
		return
	}

	s.changes.Add(1)

	if s.active.Add(-1) != 0 {
		return
	}

	s.mu.Lock()
	local := s.local
	s.mu.Unlock()

	if local != nil {
		local.Idle()
	}
}

// Progress returns a number that is another whenever a goroutine has begun or ended to wait, and whether there are some that are
// about to run.
func (s *Scope) Progress() (changes uint64, waking bool) {
	return s.changes.Load(), s.waking.Load() > 0
}

// Active is how many goroutines can make calls.
func (s *Scope) Active() int { return int(s.active.Load()) }
