package breaker

// Force holds the breaker open or closed until Release or another Force. Open, it refuses every call; closed, it lets every call
// through and counts none.
func (b *Breaker) Force(state State) {
	b.combined.replace(state, func(int) { b.mode.Store(&mode{forced: true, held: state}) })
}

// Release has the breaker decide by itself again. It is closed and has counted nothing, whether it was forced or not.
func (b *Breaker) Release() {
	b.combined.replace(Closed, func(epoch int) { b.mode.Store(b.counting(epoch)) })
}

// Forced reports whether an operator holds the breaker in its state.
func (b *Breaker) Forced() bool { return b.mode.Load().forced }

// allowForced is allow while the state is held.
func (b *Breaker) allowForced(state State) (done func(err error), err error) {
	if state == Open {
		return nil, b.refusal
	}

	return uncounted, nil
}

// uncounted takes the result of a call that does not count.
func uncounted(error) {}
