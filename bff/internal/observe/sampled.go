package observe

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sampled is what a request or a call adds to.
type sampled struct {
	count   prometheus.Counter
	latency prometheus.Observer
	// exemplars are when each bucket last got one, in nanoseconds since 1970.
	exemplars *exemplars
}

type exemplars struct {
	bounds []float64
	last   []atomic.Int64
}

func newSampled(count prometheus.Counter, latency prometheus.Observer) sampled {
	bounds := durations()
	return sampled{count, latency, &exemplars{bounds: bounds, last: make([]atomic.Int64, len(bounds)+1)}}
}

func (s sampled) add(took time.Duration, traceID string) {
	s.count.Inc()

	seconds := took.Seconds()

	if traceID != "" && s.exemplars.due(seconds, time.Now()) {
		if latency, ok := s.latency.(prometheus.ExemplarObserver); ok {
			latency.ObserveWithExemplar(seconds, prometheus.Labels{"trace_id": traceID})
			return
		}
	}

	s.latency.Observe(seconds)
}

// exemplarInterval is shorter than any usual scrape interval. A bucket has one exemplar, so that more would only cost time.
const exemplarInterval = time.Second

// due reports whether the bucket of a value should get an exemplar now.
func (e *exemplars) due(value float64, now time.Time) bool {
	bucket, _ := slices.BinarySearch(e.bounds, value)
	last := e.last[bucket].Load()

	return now.UnixNano()-last >= int64(exemplarInterval) && e.last[bucket].CompareAndSwap(last, now.UnixNano())
}
