package main

import (
	"slices"
	"sync"
	"time"
)

// journal is a list whose elements change after they were added. It is safe for concurrent use.
type journal[T any] struct {
	mu   sync.Mutex
	list []*T
}

// add appends an element that depends on how many there are.
func (j *journal[T]) add(element func(n int) T) *T {
	j.mu.Lock()
	defer j.mu.Unlock()

	one := element(len(j.list))
	j.list = append(j.list, &one)

	return &one
}

func (j *journal[T]) update(one *T, change func(one *T)) {
	j.mu.Lock()
	defer j.mu.Unlock()

	change(one)
}

// all returns copies of the present elements.
func (j *journal[T]) all() []T {
	j.mu.Lock()
	defer j.mu.Unlock()

	list := make([]T, 0, len(j.list))
	for _, one := range j.list {
		list = append(list, *one)
	}

	return list
}

// kind is what a request does.
type kind int

const (
	read kind = iota
	dashboard
	write
	// unkeyedWrite has no Idempotency-Key.
	unkeyedWrite
)

// idempotent reports whether a request has no effect, so that clients should never see it fail.
func (k kind) idempotent() bool { return k == read || k == dashboard }

// sample is a request that was sent. Each attempt of a write is one.
type sample struct {
	kind kind
	// at is when it was due.
	at   time.Time
	took time.Duration
	done bool
	// failure is a status or a fault of the connection. It is empty if the request succeeded.
	failure string
	// partial is set for a dashboard without all of its parts.
	partial bool
	// gaveUp is set for the last attempt of a write that failed.
	gaveUp bool
}

// between returns the requests that were due from one time to before another.
func between(list []sample, from, to time.Time) []sample {
	var found []sample

	for _, one := range list {
		if !one.at.Before(from) && one.at.Before(to) {
			found = append(found, one)
		}
	}

	return found
}

const (
	median = 50
	tail   = 99
)

// percentile returns how long a part of the requests took at most; 0 if there are none.
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

// table is where a write goes.
type table int

const (
	orders table = iota
	profiles
)

// entry is a write.
type entry struct {
	table table
	at    time.Time
	// label is in what is written, and in nothing else.
	label string
	// acknowledged is set when the client got a success, with the id.
	acknowledged bool
	id           string
	// unkeyed reports that it was sent once, without an Idempotency-Key.
	unkeyed bool
	// made is set if it is there, lost if it was acknowledged and is missing, doubled if it is there more than once.
	made, lost, doubled bool
}
