package delay

import (
	"sync/atomic"
	"time"
)

// history has the longest delays of the last seconds. It is safe for concurrent use.
type history struct {
	start time.Time
	spans [historySpans]span
}

// span is a piece of time. A reader that comes while the span is used anew may see the delay of another.
type span struct {
	number, delay atomic.Int64
}

const (
	spanLength   = 50 * time.Millisecond
	historySpans = 512
)

func (h *history) number(at time.Time) int64 { return int64(at.Sub(h.start) / spanLength) }

// add is for one goroutine.
func (h *history) add(now time.Time, delay time.Duration) {
	number := h.number(now)
	s := &h.spans[uint64(number)%historySpans]

	if s.number.Load() != number {
		s.delay.Store(int64(delay))
		s.number.Store(number)

		return
	}

	s.delay.Store(max(s.delay.Load(), int64(delay)))
}

// longest returns the longest delay between two times, as far back as it is known.
func (h *history) longest(from, to time.Time) time.Duration {
	var longest int64

	first, last := h.number(from), h.number(to)
	for number := max(first, last-historySpans+1); number <= last; number++ {
		if s := &h.spans[uint64(number)%historySpans]; s.number.Load() == number {
			longest = max(longest, s.delay.Load())
		}
	}

	return time.Duration(longest)
}
