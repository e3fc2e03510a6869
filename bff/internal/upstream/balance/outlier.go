package balance

import (
	"sync/atomic"
	"time"
)

// An address is an outlier if it replies with errors to nearly all calls, and most of the others to nearly none. One address alone
// says little: a backend, or a limit of its own, may have good reason to reject every call. It takes an average over many calls:
// there are sometimes only two addresses, and clients hardly choose one. (Round robin over two lets a single client that alternates
// strictly between two kinds of calls do so, while there are no other calls. Codes that follow from the request do not count.)
const (
	// averageOver is how many calls count: each further one weighs as much as an averageOver-th. An address is an outlier after 25
	// errors in a row at the earliest.
	averageOver = 16
	allErrors   = 1 << 16
	nearlyAll   = allErrors * 8 / 10
	nearlyNone  = allErrors * 2 / 10
	// reviewInterval is how often the addresses are compared at most, if all of them reply with errors.
	reviewInterval = 100 * time.Millisecond
)

// errorShare is the share of calls that ended with errors, as a moving average. It is safe for concurrent use.
type errorShare struct {
	value atomic.Int64
	// calls is how many there were, up to averageOver.
	calls atomic.Int64
}

// add counts a call.
func (s *errorShare) add(failed bool) {
	if s.calls.Load() < averageOver {
		s.calls.Add(1)
	}

	for {
		before := s.value.Load()
		// Nearly always: there is nothing to write, and no contention between processors.
		if before == 0 && !failed {
			return
		}

		after := before - (before+averageOver-1)/averageOver
		if failed {
			after += allErrors / averageOver
		}

		if s.value.CompareAndSwap(before, after) {
			return
		}
	}
}

func (s *errorShare) high() bool { return s.value.Load() >= nearlyAll }
func (s *errorShare) low() bool  { return s.value.Load() <= nearlyNone && s.calls.Load() >= averageOver }

func (s *errorShare) reset() {
	s.value.Store(0)
	s.calls.Store(0)
}

// outlier reports whether the member is one. The caller holds the lock.
//
// A policy that keeps callers at their addresses has none: there, one client alone may fail all calls of an address.
func (w *wrapper) outlier(m *member) bool {
	if w.sticky || !m.errors.high() {
		return false
	}

	others, good := 0, 0

	for _, other := range w.members {
		if other == m || other.excluded() || !other.usable() {
			continue
		}

		others++

		if other.errors.low() {
			good++
		}
	}

	return 2*good > others
}

// reviewOutliers wakes the loop, unless it has looked for outliers just now.
func (w *wrapper) reviewOutliers() {
	now := time.Now().UnixNano()
	if before := w.reviewed.Load(); now-before >= int64(reviewInterval) && w.reviewed.CompareAndSwap(before, now) {
		w.wake()
	}
}
