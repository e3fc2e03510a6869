// Package singleflight lets callers wait for a call that one of them, its leader, makes on its own goroutine and with its own
// context.
//
// It serves for what golang.org/x/sync/singleflight does, with three differences: callers wait no longer than their own contexts
// last; one whose context ends hands the call over, so that it fails nobody else; and there is no goroutine for it, so that a panic
// is one of the leader.
package singleflight

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Call are those who wait for a call. It is guarded by a lock of its owner, which knows the leader and the result.
type Call struct{ waiting []*Caller }

// Caller is one that waits.
type Caller struct {
	deadline time.Time
	limited  bool
	woken    chan struct{}
	leads    bool
}

// Join adds a caller, who must wait until it is woken, or leave.
func (c *Call) Join(ctx context.Context) *Caller {
	caller := &Caller{woken: make(chan struct{})}
	caller.deadline, caller.limited = ctx.Deadline()
	c.waiting = append(c.waiting, caller)

	return caller
}

// Woken is closed when the call has ended, or is handed over to the caller.
func (c *Caller) Woken() <-chan struct{} { return c.woken }

// Leads reports whether the call is handed over to the caller. It is for one that was woken.
func (c *Caller) Leads() bool { return c.leads }

// Waiting is how many wait.
func (c *Call) Waiting() int { return len(c.waiting) }

// Leave removes a caller. It reports false if the caller was woken.
func (c *Call) Leave(caller *Caller) bool {
	before := len(c.waiting)
	c.waiting = slices.DeleteFunc(c.waiting, func(other *Caller) bool { return other == caller })

	return len(c.waiting) < before
}

// End wakes all: there is a result.
func (c *Call) End() {
	for _, caller := range c.waiting {
		close(caller.woken)
	}

	c.waiting = nil
}

// HandOver wakes the one of those who wait for the calls who has most time, and lets it lead. It reports false if nobody waits.
func HandOver(calls ...*Call) bool {
	var (
		next *Caller
		from *Call
	)

	for _, c := range calls {
		for _, caller := range c.waiting {
			if next == nil || next.limited && (!caller.limited || caller.deadline.After(next.deadline)) {
				next, from = caller, c
			}
		}
	}

	if next == nil {
		return false
	}

	from.Leave(next)

	next.leads = true
	close(next.woken)

	return true
}

// GaveUp reports whether a call has failed because its context has ended, or was about to: the time for the response is reserved.
func GaveUp(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return err != nil
	}

	deadline, limited := ctx.Deadline()

	return limited && status.Code(err) == codes.DeadlineExceeded && time.Until(deadline) <= reqinfo.MaxReserve
}
