package main

import (
	"slices"
	"sync"
	"time"
)

// kind is what a request does.
type kind int

const (
	read kind = iota
	dashboard
	write
)

// idempotent requests have no effect, and so nobody should have to see them fail.
func (k kind) idempotent() bool { return k != write }

// sample is a request that was sent. A write that is tried again is one for each attempt.
type sample struct {
	kind kind
	// at is when it was due, which may be before there was somebody to send it.
	at   time.Time
	took time.Duration
	done bool
	// failure is what went wrong: a status, or what became of the connection. Empty: nothing.
	failure string
	// partial is a dashboard without all of its parts.
	partial bool
	// gaveUp is the last attempt of a write that failed.
	gaveUp bool
}

// samples collects. It is safe for concurrent use.
type samples struct {
	mu   sync.Mutex
	list []*sample
}

func (s *samples) begin(k kind, at time.Time) *sample {
	one := &sample{kind: k, at: at}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.list = append(s.list, one)

	return one
}

// end lets fill say how it went.
func (s *samples) end(one *sample, fill func(one *sample)) {
	s.mu.Lock()
	defer s.mu.Unlock()

	one.took, one.done = time.Since(one.at), true
	fill(one)
}

// all gives copies of what there is by now.
func (s *samples) all() []sample {
	s.mu.Lock()
	defer s.mu.Unlock()

	list := make([]sample, 0, len(s.list))
	for _, one := range s.list {
		list = append(list, *one)
	}

	return list
}

// between gives those that were due from one time to before another.
func between(list []sample, from, to time.Time) []sample {
	var found []sample

	for _, one := range list {
		if !one.at.Before(from) && one.at.Before(to) {
			found = append(found, one)
		}
	}

	return found
}

// percentile gives the time that so many percent of the requests took at most, whatever became of them; 0 if there are none.
func percentile(list []sample, percent int) time.Duration {
	if len(list) == 0 {
		return 0
	}

	took := make([]time.Duration, 0, len(list))
	for _, one := range list {
		took = append(took, one.took)
	}

	slices.Sort(took)

	const all = 100

	return took[min(len(took)*percent/all, len(took)-1)]
}
