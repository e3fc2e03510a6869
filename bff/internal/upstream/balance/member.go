package balance

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/connectivity"
)

// member is an address. The wrapper's lock guards what is not atomic.
type member struct {
	address string
	// listed reports whether the resolver still lists it.
	listed   bool
	subConns map[*subConn]struct{}

	// failures since the last call that did not fail.
	failures atomic.Int64
	// errors is the share of its calls that fail in any way.
	errors errorShare
	// until is when it is readmitted; zero if it is not ejected.
	until time.Time
	// ejections is how often it was ejected lately, and readmitted when it was last readmitted.
	ejections  int
	readmitted time.Time
	// unresponsive reports that its connection was closed because nothing came from it any more, until there is a new one.
	unresponsive bool
	// unreachable reports that it was logged that it cannot be reached, or does not respond, until there is a new connection.
	unreachable bool
	// unserving reports that it was logged that it is not serving, until it is.
	unserving bool
	// drained reports that an operator keeps calls away from it.
	drained bool
}

func (m *member) ejected() bool { return !m.until.IsZero() }

// excluded reports whether no new call goes to it, even if it could be reached.
func (m *member) excluded() bool { return m.drained || m.ejected() }

// usable reports whether calls would probably reach it if it is not ejected. An idle one was not needed yet, as happens in a ring.
func (m *member) usable() bool {
	for sc := range m.subConns {
		if sc.healthy() || sc.state == connectivity.Idle {
			return true
		}
	}

	return m.listed && len(m.subConns) == 0
}

func (m *member) state() string {
	switch {
	case m.drained:
		return Drained
	case m.ejected():
		return Ejected
	}

	state := connectivity.Idle

	for sc := range m.subConns {
		if sc.healthy() {
			return Ready
		}

		state = sc.state
	}

	switch {
	case state == connectivity.Ready:
		return Unhealthy
	case m.unresponsive:
		return Unresponsive
	case state == connectivity.TransientFailure || m.unreachable:
		// Also while another attempt is made.
		return Failing
	case state == connectivity.Connecting:
		return Connecting
	default:
		return Idle
	}
}

func (m *member) eject(now time.Time, base time.Duration) {
	// Earlier ejections do not count.
	if now.Sub(m.readmitted) > maxEjection {
		m.ejections = 0
	}

	m.ejections++
	m.until = now.Add(min(base*time.Duration(m.ejections), max(maxEjection, base)))
	m.markPending()
}

func (m *member) readmit(now time.Time) {
	m.until, m.readmitted = time.Time{}, now
	m.failures.Store(0)
	m.errors.reset()
	m.markPending()
}

func (m *member) markPending() {
	for sc := range m.subConns {
		sc.pending = true
	}
}

// maxEjection is the longest time for which an address is ejected, and for which an ejection is remembered.
const maxEjection = time.Minute
