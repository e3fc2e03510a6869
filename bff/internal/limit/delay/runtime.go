package delay

import (
	"math"
	"runtime/metrics"
	"slices"
	"time"
)

// latencies reads how long goroutines of this process wait for a CPU, by what the Go scheduler measures at one in eight of their
// starts. It is not safe for concurrent use.
type latencies struct {
	sample [1]metrics.Sample
	before []uint64
	// calls counts those of next since its last measurement.
	calls int
}

func newLatencies() *latencies {
	l := &latencies{}
	l.sample[0].Name = "/sched/latencies:seconds"
	l.next() // What was before does not count.

	return l
}

// share of the goroutines waited at most as long as next says. Many are woken by one that is running and wait for nothing, so the
// median would say little.
const share = 0.9

// A measurement needs some starts, but not more than so many calls of next.
const (
	minStarts = 16
	maxCalls  = 10
)

// next returns the delay since the last measurement; false if too little has happened since.
func (l *latencies) next() (time.Duration, bool) {
	metrics.Read(l.sample[:])

	l.calls++

	now := l.sample[0].Value.Float64Histogram()
	if l.before == nil {
		l.before = slices.Clone(now.Counts)
	}

	var starts uint64
	for i, count := range now.Counts {
		starts += count - l.before[i]
	}

	if starts < minStarts && l.calls < maxCalls {
		return 0, false
	}

	l.calls = 0

	for i, count := range now.Counts {
		l.before[i], now.Counts[i] = count, count-l.before[i]
	}

	return quantile(now), true
}

// quantile is the upper bound of the bucket that the share ends in; zero if nothing was started.
func quantile(h *metrics.Float64Histogram) time.Duration {
	var total, sum uint64

	for _, count := range h.Counts {
		total += count
	}

	for i, count := range h.Counts {
		sum += count

		if count > 0 && float64(sum) >= share*float64(total) {
			// The last bucket has no upper bound.
			seconds := h.Buckets[i+1]
			if math.IsInf(seconds, 1) {
				seconds = h.Buckets[i]
			}

			return time.Duration(seconds * float64(time.Second))
		}
	}

	return 0
}
