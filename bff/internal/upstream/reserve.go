package upstream

import (
	"context"
	"time"
)

// The gateway keeps a little of the time that a request has, so that it can still answer: a tenth of what is left, at most what it
// takes to write a large answer.
const (
	maxReserve   = 20 * time.Millisecond
	reserveShare = 10
)

// reserve brings the deadline forward, if there is one. The caller must call cancel when the call has ended.
func reserve(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}

	kept := min(max(time.Until(deadline)/reserveShare, 0), maxReserve)

	return context.WithDeadline(ctx, deadline.Add(-kept))
}
