package scope

import "sync/atomic"

// Fork are goroutines that another one starts and waits for. Nil is that of no scope, and counts nothing.
type Fork struct {
	scope *Scope
	// left are those that have not ended, and the one that starts them until it waits.
	left atomic.Int64
}

// Fork returns one without goroutines.
func (s *Scope) Fork() *Fork {
	if s == nil {
		return nil
	}

	f := &Fork{scope: s}
	f.left.Store(1)

	return f
}

// Goroutine is one of a fork. It counts from Ready to End.
type Goroutine struct {
	fork  *Fork
	state atomic.Int32
}

const (
	waiting int32 = iota
	ready
	ended
)

// Add adds a goroutine to the fork, which must be one before Wait.
func (f *Fork) Add(g *Goroutine) {
	if f == nil {
		return
	}

	f.left.Add(1)

	g.fork = f
}

// Go adds a goroutine that counts at once.
func (f *Fork) Go() *Goroutine {
	if f == nil {
		return nil
	}

	g := new(Goroutine)
	f.Add(g)
	g.Ready()

	return g
}

// Ready says that the goroutine can make calls. The one that lets it run calls it, before it ends or waits itself. It does so once.
func (g *Goroutine) Ready() {
	if g.fork != nil && g.state.CompareAndSwap(waiting, ready) {
		g.fork.scope.Enter(1)
	}
}

// End says that the goroutine has ended. If it was the last one, the one that waits counts in its place.
func (g *Goroutine) End() {
	if g == nil || g.fork == nil {
		return
	}

	counted, last := g.state.Swap(ended) == ready, g.fork.left.Add(-1) == 0

	switch {
	case counted && !last:
		g.fork.scope.Leave()
	case !counted && last:
		g.fork.scope.Enter(1)
	}
}

// Wait waits with the function, which must return when all goroutines have ended. The calling goroutine does not count meanwhile.
func (f *Fork) Wait(wait func() error) error {
	if f != nil && f.left.Add(-1) > 0 {
		f.scope.Leave()
	}

	return wait()
}
