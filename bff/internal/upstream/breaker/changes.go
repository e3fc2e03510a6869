package breaker

import (
	"sync"
	"sync/atomic"
)

// changes makes the changes of two counters those of one breaker, whose state is the worse of theirs.
type changes struct {
	name string
	told func(name string, from, to State)

	mu     sync.Mutex
	states [2]State
	// open reports that it is not closed.
	open atomic.Bool
}

func (c *changes) closed() bool { return !c.open.Load() }

// of is told of the changes of one counter.
func (c *changes) of(counter int) func(to State) {
	return func(to State) {
		c.mu.Lock()
		defer c.mu.Unlock()

		from := max(c.states[0], c.states[1])
		c.states[counter] = to

		now := max(c.states[0], c.states[1])
		c.open.Store(now != Closed)

		if now != from && c.told != nil {
			c.told(c.name, from, now)
		}
	}
}
