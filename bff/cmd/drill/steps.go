package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// settle is the time before the first fault, in which connections are made and caches filled.
	settle = 3 * time.Second
	// beforehand is how much of the time before a fault it is compared with.
	beforehand = 2 * time.Second
	// patience is how long recovery is waited for.
	patience = 12 * time.Second
)

// step is a fault that was injected, and when.
type step struct {
	fault

	// begin and end are those of the fault, closed is when it was no longer watched.
	begin, end, closed time.Time
	// before is the 99th percentile without the fault.
	before time.Duration
	// recovered is the time to recover, if it did.
	recovered  time.Duration
	didRecover bool
}

// since is from when on the recovery counts.
func (s *step) since() time.Time {
	if s.fromBegin {
		return s.begin
	}

	return s.end
}

// steps injects the faults one after the other.
func (d *driver) steps(ctx context.Context, list []fault, say func(format string, args ...any)) ([]step, error) {
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}

	steps := make([]step, 0, len(list))

	for _, one := range list {
		say("%s", one.name)

		s := step{fault: one, begin: time.Now()}
		s.before = percentile(between(d.samples.all(), s.begin.Add(-beforehand), s.begin), tail)

		if err := d.inflict(ctx, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}

		steps = append(steps, s)
	}

	return steps, nil
}

// inflict injects the fault, ends it, and watches until all is well again.
func (d *driver) inflict(ctx context.Context, s *step) error {
	if err := s.inject(ctx); err != nil {
		return err
	}

	if err := pause(ctx, time.Until(s.begin.Add(s.lasts))); err != nil {
		return err
	}

	if err := s.heal(ctx); err != nil {
		return err
	}

	s.end = time.Now()

	if err := pause(ctx, s.rest); err != nil {
		return err
	}

	for s.closed = time.Now(); ; s.closed = time.Now() {
		s.recovered, s.didRecover = recovery(d.samples.all(), s.since(), s.closed, s.before)
		if s.didRecover || s.closed.After(s.end.Add(patience)) {
			return nil
		}

		if err := pause(ctx, stride); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}
