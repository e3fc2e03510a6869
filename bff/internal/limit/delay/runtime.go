package delay

import (
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// latencies reads how long goroutines of this process wait for a CPU, by what the Go scheduler measures at one in eight of their
// starts. It is not safe for concurrent use.
type latencies struct {
	samples [2]metrics.Sample
	before  []uint64
	// calls counts those of next since its last measurement.
	calls int
}

func newLatencies() *latencies {
	l := &latencies{}
	l.samples[0].Name, l.samples[1].Name = "/sched/latencies:seconds", "/sched/goroutines/runnable:goroutines"
	l.next() // What was before does not count.

	return l
}

// share of the goroutines waited at most as long as next says. Most are woken by one that is running, which they follow at once:
// they wait for nothing, however long the queue is.
const share = 0.99

// queuePerCPU goroutines that wait are a queue. In a process that is not overloaded, few do at any moment, even if it has had no
// CPU for a while, since nothing becomes runnable meanwhile.
const queuePerCPU = 8

// A measurement needs some starts, but not more than so many calls of next.
const (
	minStarts = 16
	maxCalls  = 10
)

// next returns what happened since the last measurement; false if too little has happened since.
func (l *latencies) next() (Measurement, bool) {
	metrics.Read(l.samples[:])

	l.calls++

	now := l.samples[0].Value.Float64Histogram()
	if l.before == nil {
		l.before = slices.Clone(now.Counts)
	}

	var starts uint64
	for i, count := range now.Counts {
		starts += count - l.before[i]
	}

	if starts < minStarts && l.calls < maxCalls {
		return Measurement{}, false
	}

	l.calls = 0

	for i, count := range now.Counts {
		l.before[i], now.Counts[i] = count, count-l.before[i]
	}

	queued := l.samples[1].Value.Uint64() > uint64(queuePerCPU*runtime.GOMAXPROCS(0))

	return Measurement{Waited: quantile(now), Queued: queued}, true
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
