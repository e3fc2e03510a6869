package balance

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/metadata"
)

type attemptsKey struct{}

// Attempts is a context for a call that counts the attempts at it, including gRPC's own retries. It is safe for concurrent use.
type Attempts struct {
	context.Context //nolint:containedctx // It is a context itself.

	ended    atomic.Int64
	pushback atomic.Bool
}

// Count makes a the context of a call, derived from ctx, and returns it. It is called once.
func (a *Attempts) Count(ctx context.Context) *Attempts {
	a.Context = ctx
	return a
}

// Ended is how many attempts were sent and have ended.
func (a *Attempts) Ended() int { return int(a.ended.Load()) }

// Pushback reports whether the backend said at the end of the last one when to try again, or that there is no use (gRFC A6).
func (a *Attempts) Pushback() bool { return a.pushback.Load() }

// Value implements context.Context.
func (a *Attempts) Value(key any) any {
	if key == (attemptsKey{}) {
		return a
	}

	return a.Context.Value(key)
}

// countAttempt counts an attempt at a call with this context, if it is one that counts.
func countAttempt(ctx context.Context, trailer metadata.MD) {
	if a, ok := ctx.Value(attemptsKey{}).(*Attempts); ok {
		a.pushback.Store(len(trailer["grpc-retry-pushback-ms"]) > 0)
		a.ended.Add(1)
	}
}
