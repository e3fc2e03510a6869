package breaker

import (
	"sync"
	"sync/atomic"
)

// combinedState makes one state of those of two counters: the worse of them.
type combinedState struct {
	onChange func(from, to State)

	mu     sync.Mutex
	states [2]State
	// epoch is how often the counters were replaced. Those before have no effect.
	epoch int
	// open reports that it is not closed.
	open atomic.Bool
}

// update returns the function to call when one of the counters of an epoch changes.
func (c *combinedState) update(counter, epoch int) func(to State) {
	return func(to State) {
		c.mu.Lock()
		defer c.mu.Unlock()

		if epoch != c.epoch {
			return
		}

		states := c.states
		states[counter] = to
		c.set(states)
	}
}

// replace begins another epoch, in which the state is at first this one. swap puts what decides from then on in its place.
func (c *combinedState) replace(state State, swap func(epoch int)) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.epoch++
	swap(c.epoch)
	c.set([2]State{state, Closed})
}

// set changes the states. The caller holds the lock.
func (c *combinedState) set(states [2]State) {
	from, now := max(c.states[0], c.states[1]), max(states[0], states[1])
	c.states = states
	c.open.Store(now != Closed)

	if now != from && c.onChange != nil {
		c.onChange(from, now)
	}
}
