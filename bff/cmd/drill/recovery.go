package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// settle is the time before the first fault, in which connections are made and caches filled.
	settle = 3 * time.Second
	// beforehand is how much of the time before a fault it is compared with.
	beforehand = 2 * time.Second
	// recoveryTimeout is how long recovery is waited for.
	recoveryTimeout = 12 * time.Second

	// window is the time in which all requests have to be good.
	window = time.Second
	// stride is how finely recovery is timed.
	stride = 50 * time.Millisecond
	// slowdown is how much slower than before is still good.
	slowdown = 2
	// most is the percentile that is compared. The 99th of a window of 160 requests is its second slowest: two requests that met a
	// busy processor decided. One of three replicas that does not respond delays more than a twentieth of the mix.
	most = 95
	// unnoticed is a percentile that is good however fast requests were before: on a busy machine, twice almost nothing is still
	// almost nothing.
	unnoticed = 50 * time.Millisecond
)

// step is a fault that was injected, and when.
type step struct {
	fault

	// begin and end are those of the fault, closed is when observation ended.
	begin, end, closed time.Time
	// before is how long most requests took without the fault.
	before time.Duration
	// recovered is the time to recover, if it did.
	recovered  time.Duration
	didRecover bool
}

// recover computes how long recovery took, as far as it is known.
func (s *step) recover(list []sample) {
	since := s.end
	if s.fromBegin {
		since = s.begin
	}

	s.recovered, s.didRecover = recovery(list, since, s.closed, s.before)
}

// steps injects the faults one after the other.
func (d *driver) steps(ctx context.Context, list []fault, progress *progress) ([]step, error) {
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}

	steps := make([]step, 0, len(list))

	for n, one := range list {
		progress.showf("fault %d of %d: %s", n+1, len(list), one.name)

		s := step{fault: one, begin: time.Now()}
		s.before = percentile(between(d.samples.all(), s.begin.Add(-beforehand), s.begin), most)

		if err := d.step(ctx, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}

		steps = append(steps, s)
	}

	return steps, nil
}

// step injects the fault, ends it, and waits for recovery.
func (d *driver) step(ctx context.Context, s *step) error {
	if err := s.inject(ctx); err != nil {
		return err
	}

	for end := s.begin.Add(s.lasts); s.repeat != nil && time.Until(end) > resetsInterval; s.repeat() {
		if err := pause(ctx, resetsInterval); err != nil {
			return err
		}
	}

	if err := pause(ctx, time.Until(s.begin.Add(s.lasts))); err != nil {
		return err
	}

	if err := s.heal(ctx); err != nil {
		return err
	}

	s.end = time.Now()

	for wait := s.rest; ; wait = stride {
		if err := pause(ctx, wait); err != nil {
			return err
		}

		s.closed = time.Now()
		if s.recover(d.samples.all()); s.didRecover || s.closed.After(s.end.Add(recoveryTimeout)) {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case <-time.After(d):
		return nil
	}
}

// recovery returns the time until the beginning of the first window from which on nothing failed and in which most requests took at
// most twice as long as before. It is unknown if there is no such window. A window with requests that are not done is not good.
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

		if len(one) > 0 && !bad && percentile(one, most) <= bound {
			return start.Sub(since), true
		}
	}

	return 0, false
}
