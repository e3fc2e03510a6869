package scope

import "sync/atomic"

// Fork are goroutines that another one starts and waits for. Nil is that of no scope, and counts nothing.
type Fork struct {
	scope *Scope
	// left are those that have not ended, and the one that starts them until it waits.
	left atomic.Int64
}

// Fork returns one without goroutines. The calling goroutine, which is going to start some, must not do anything else before Wait.
func (s *Scope) Fork() *Fork {
	if s == nil {
		return nil
	}

	f := &Fork{scope: s}
	f.left.Store(1)
	s.starts()

	return f
}

// Goroutine is one of a fork. It counts from Ready to End, and may be nil.
type Goroutine struct {
	fork  *Fork
	state atomic.Int32
}

const (
	waiting int32 = iota
	ready
	running
	ended
)

// Add adds a goroutine, before Wait.
func (f *Fork) Add(g *Goroutine) {
	if f == nil {
		return
	}

	f.left.Add(1)

	g.fork = f
}

// Go adds a goroutine that is ready.
func (f *Fork) Go() *Goroutine {
	if f == nil {
		return nil
	}

	g := new(Goroutine)
	f.Add(g)
	g.Ready()

	return g
}

func (g *Goroutine) counts() bool { return g != nil && g.fork != nil }

// Ready says that the goroutine can make calls. The one that lets it run calls it, once, before it ends or waits itself.
func (g *Goroutine) Ready() {
	if g.counts() && g.state.CompareAndSwap(waiting, ready) {
		g.fork.scope.Wake(1)
	}
}

// Begin says that the goroutine runs.
func (g *Goroutine) Begin() {
	if g.counts() && g.state.CompareAndSwap(ready, running) {
		g.fork.scope.Woken()
	}
}

// End says that the goroutine has ended. If it was the last one, the one that waits counts in its place.
func (g *Goroutine) End() {
	if !g.counts() {
		return
	}

	g.Begin()

	if g.fork.left.Add(-1) == 0 {
		g.fork.scope.Wake(1)
	}

	if g.state.Swap(ended) != waiting {
		g.fork.scope.Leave()
	}
}

// Wait waits with the function, which must return when all goroutines have ended. The calling goroutine does not count meanwhile.
func (f *Fork) Wait(wait func() error) error {
	if f == nil {
		return wait()
	}

	f.scope.Woken()

	if f.left.Add(-1) > 0 {
		f.scope.Leave()
		defer f.scope.Woken()
	}

	return wait()
}
