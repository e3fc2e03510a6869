package batch

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// callers wait for a call that another caller makes, its leader, on the leader's goroutine and with the leader's context. This
// differs from golang.org/x/sync/singleflight in that a caller waits no longer than its own context lasts, and that a leader whose
// context ends hands the call over, so that the others do not fail. It is guarded by the lock of calls.
type callers struct{ waiting []*caller }

// caller waits for the call.
type caller struct {
	deadline time.Time
	limited  bool
	// woken is closed when the call has ended, or is handed over to the caller: then leads is set.
	woken chan struct{}
	leads bool
}

// join adds a caller, who must wait until it is woken, or leave.
func (c *callers) join(ctx context.Context) *caller {
	own := &caller{woken: make(chan struct{})}
	own.deadline, own.limited = ctx.Deadline()
	c.waiting = append(c.waiting, own)

	return own
}

// leave removes a caller. It reports false if the caller was woken.
func (c *callers) leave(own *caller) bool {
	before := len(c.waiting)
	c.waiting = slices.DeleteFunc(c.waiting, func(other *caller) bool { return other == own })

	return len(c.waiting) < before
}

// end wakes all: there is a result.
func (c *callers) end() {
	for _, caller := range c.waiting {
		close(caller.woken)
	}

	c.waiting = nil
}

// wakeNext makes the caller with the latest deadline the leader, and wakes it. It reports false if there is no caller.
func wakeNext(calls ...*callers) bool {
	var (
		next *caller
		from *callers
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

	from.leave(next)

	next.leads = true
	close(next.woken)

	return true
}

// gaveUp reports whether a call has failed because its context has ended, or was about to: the time for the response is reserved.
func gaveUp(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return err != nil
	}

	deadline, limited := ctx.Deadline()

	return limited && status.Code(err) == codes.DeadlineExceeded && time.Until(deadline) <= reqinfo.MaxReserve
}
