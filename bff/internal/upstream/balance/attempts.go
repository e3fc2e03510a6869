package balance

import (
	"context"
	"sync/atomic"
)

type attemptsKey struct{}

// CountAttempts returns a context for calls, and a function that returns how many attempts at them were sent and have ended,
// including gRPC's own retries. It is safe for concurrent use.
func CountAttempts(ctx context.Context) (_ context.Context, attempts func() int) {
	var n atomic.Int64

	return context.WithValue(ctx, attemptsKey{}, &n), func() int { return int(n.Load()) }
}

// countAttempt counts an attempt at a call with this context, if it is one of CountAttempts.
func countAttempt(ctx context.Context) {
	if n, ok := ctx.Value(attemptsKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
}
