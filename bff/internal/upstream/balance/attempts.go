package balance

import (
	"context"
	"sync/atomic"
)

type attemptsKey struct{}

// Attempts counts the attempts at calls whose context it is. It is safe for concurrent use.
type Attempts struct {
	context.Context //nolint:containedctx // It is a context itself.

	ended atomic.Int64
}

// CountAttempts returns a context for calls that counts the attempts at them, including gRPC's own retries.
func CountAttempts(ctx context.Context) *Attempts { return &Attempts{Context: ctx} }

// Ended is how many attempts were sent and have ended.
func (a *Attempts) Ended() int { return int(a.ended.Load()) }

// Value implements context.Context.
func (a *Attempts) Value(key any) any {
	if key == (attemptsKey{}) {
		return a
	}

	return a.Context.Value(key)
}

// countAttempt counts an attempt at a call with this context, if it is one of CountAttempts.
func countAttempt(ctx context.Context) {
	if a, ok := ctx.Value(attemptsKey{}).(*Attempts); ok {
		a.ended.Add(1)
	}
}
