package main

import (
	"slices"
	"time"
)

const (
	// window is the time in which all has to be well.
	window = time.Second
	// stride is how finely recovery is timed.
	stride = 50 * time.Millisecond
	// slowdown is how much slower than before counts as well.
	slowdown = 2
	// unnoticed is a 99th percentile that counts as well however fast it was before: on a machine that has other things to do,
	// twice of almost nothing is still almost nothing.
	unnoticed = 50 * time.Millisecond
)

const (
	median = 50
	tail   = 99
)

// recovery is the time from since to the beginning of the first window from which on nothing failed and in which the 99th
// percentile was at most twice that of before. It is not known as long as there is no such window, and requests that have no answer
// yet leave a window open.
func recovery(list []sample, since, now time.Time, before time.Duration) (time.Duration, bool) {
	list = between(list, since, now)
	bound := max(slowdown*before, unnoticed)
	failed := since

	for _, one := range list {
		if one.failure != "" && one.at.After(failed) {
			failed = one.at
		}
	}

	for start := since; !start.Add(window).After(now); start = start.Add(stride) {
		one := between(list, start, start.Add(window))
		bad := start.Before(failed) || slices.ContainsFunc(one, func(s sample) bool { return !s.done || s.failure != "" })

		if len(one) > 0 && !bad && percentile(one, tail) <= bound {
			return start.Sub(since), true
		}
	}

	return 0, false
}
