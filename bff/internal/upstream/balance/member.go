package balance

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/connectivity"
)

// member is an address. The wrapper's lock guards what is not atomic.
type member struct {
	address string
	// listed reports whether the resolver still knows it.
	listed   bool
	subConns map[*subConn]struct{}

	// failures since the last call that did not fail.
	failures atomic.Int64
	// until is when it is taken back; zero if it is not left out.
	until time.Time
	// strikes are how often it was left out lately, and freed when it was last taken back.
	strikes int
	freed   time.Time
	// silent reports that its connection was closed because nothing came from it any more. A new one makes up for it.
	silent bool
	// unreachable says that the last attempt to connect to it failed.
	unreachable bool
}

func (m *member) ejected() bool { return !m.until.IsZero() }

// usable reports whether calls would get through to it, as far as one can know, if it is not left out. One that is idle has not
// been needed yet, as happens in a ring.
func (m *member) usable() bool {
	for sc := range m.subConns {
		if sc.healthy() || sc.state == connectivity.Idle {
			return true
		}
	}

	return m.listed && len(m.subConns) == 0
}

func (m *member) state() string {
	if m.ejected() {
		return "ejected"
	}

	state := connectivity.Idle

	for sc := range m.subConns {
		if sc.healthy() {
			return "ready"
		}

		state = sc.state
	}

	switch {
	case state == connectivity.Ready:
		return "unhealthy"
	case m.silent:
		return "unresponsive"
	case state == connectivity.Connecting:
		return "connecting"
	case state == connectivity.TransientFailure:
		return "failing"
	default:
		return "idle"
	}
}

// eject leaves it out from now on.
func (m *member) eject(now time.Time, base time.Duration) {
	// What happened long ago does not count.
	if now.Sub(m.freed) > maxEjection {
		m.strikes = 0
	}

	m.strikes++
	m.until = now.Add(min(base*time.Duration(m.strikes), max(maxEjection, base)))
	m.changed()
}

// free takes it back.
func (m *member) free(now time.Time) {
	m.until, m.freed = time.Time{}, now
	m.failures.Store(0)
	m.changed()
}

func (m *member) changed() {
	for sc := range m.subConns {
		sc.pending = true
	}
}

// maxEjection is the longest time that an address is left out, and how long it is remembered that it was.
const maxEjection = time.Minute
