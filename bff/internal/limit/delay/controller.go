package delay

import "time"

// A controller finds out which share of requests must be refused so that the delay stays at its target. It is the proportional-
// integral controller of PIE (RFC 8033, section 4.2): the share grows with how far the delay is above the target, and with how fast
// it grows. The delay is that of a queue, which grows by what comes in beyond what can be done, so that the share settles where the
// CPU is just busy.
//
// It begins only when the delay has been a multiple of the target for a while. A burst makes a queue as well, and so do clients
// that each wait for a response before the next request, but it does not go on growing.
type controller struct {
	target time.Duration
	// share is the one to be refused, from 0 to 1, and before the last delay, in targets.
	share, before float64
	// above is how many delays in a row were too long, until the controller begins; then, zero is for how many ticks there was
	// nothing to refuse.
	above, zero int
}

// RFC 8033, section 5.1, has 0.125 and 1.25 a second for each second of delay, which suits senders that slow down when they lose
// packets. Here they do not, so what is too much has to be refused sooner. In the simulation of the tests, of twice and four times
// the capacity, the share settles within a second. Both are for a delay of one target, and integral for each tick.
const (
	integral     = 0.01
	proportional = 0.1
	// longest is the delay at which the controller begins, in targets. More does not count: to have got no CPU at all for a moment
	// says little about the next.
	longest = 5
	// burst is for how many measurements such a delay is tolerated, like a burst in RFC 8033, section 4.3.
	burst = 10
	// hold is for how many ticks the controller goes on with nothing to refuse.
	hold = 100
)

// update takes a measurement, which covers so many ticks. A gateway that has little to do needs several for one.
func (c *controller) update(delay time.Duration, ticks int) {
	now := min(float64(delay)/float64(c.target), longest)

	if c.above < burst {
		if c.above++; now < longest {
			c.above = 0
		}
	}

	if c.above < burst {
		return
	}

	c.share = min(max(0, c.share+integral*(now-1)*float64(ticks)+proportional*(now-c.before)), 1)
	c.before = now
	c.zero += ticks

	switch {
	case c.share > 0:
		c.zero = 0
	case c.zero >= hold:
		*c = controller{target: c.target}
	}
}
