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

// Goroutine is one of a fork. It counts from Start to End. The zero value does not count.
type Goroutine struct {
	fork  *Fork
	begun bool
}

// Start counts a goroutine that is about to run: before Wait, or by one of the fork that has not ended.
func (f *Fork) Start(g *Goroutine) {
	if f == nil {
		return
	}

	g.fork = f

	f.left.Add(1)
	f.scope.Wake(1)
}

// Begin says that the goroutine runs. It calls this itself, like End.
func (g *Goroutine) Begin() {
	if g.fork != nil && !g.begun {
		g.begun = true
		g.fork.scope.Woken()
	}
}

// End says that the goroutine has ended. If it was the last one, the one that waits counts in its place.
func (g *Goroutine) End() {
	if g.fork == nil {
		return
	}

	g.Begin()

	if g.fork.left.Add(-1) == 0 {
		g.fork.scope.Wake(1)
	}

	g.fork.scope.Leave()
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
