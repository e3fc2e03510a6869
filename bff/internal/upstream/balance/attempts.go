package balance

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/metadata"
)

type attemptsKey struct{}

// Attempts is a context for a call that counts the attempts at it, including gRPC's own retries, and has each of them prefer an
// address at which there was none. It is safe for concurrent use.
type Attempts struct {
	context.Context //nolint:containedctx // It is a context itself.

	ended    atomic.Int64
	pushback atomic.Bool

	tried tried
	// shared is used in place of tried if it is not nil.
	shared *tried
}

// Count makes a the context of a call, derived from ctx, and returns it. It is called once.
func (a *Attempts) Count(ctx context.Context) *Attempts {
	a.Context = ctx
	return a
}

// Sibling returns a context, derived from ctx, for one of several calls, such as one and its hedge. It counts the attempts at that
// call, which avoid the addresses of all siblings.
func (a *Attempts) Sibling(ctx context.Context) *Attempts {
	return &Attempts{Context: ctx, shared: &a.tried}
}

// Ended is how many attempts were sent and have ended.
func (a *Attempts) Ended() int { return int(a.ended.Load()) }

// Made is how many attempts went to an address, including those of siblings, and address where the last of them went.
func (a *Attempts) Made() (attempts int, address string) {
	t := a.addresses()

	t.mu.Lock()
	defer t.mu.Unlock()

	if t.last == nil {
		return 0, ""
	}

	return t.made, t.last.address
}

// Pushback reports whether the backend said at the end of the last one when to try again, or that there is no use (gRFC A6).
func (a *Attempts) Pushback() bool { return a.pushback.Load() }

// Value implements context.Context.
func (a *Attempts) Value(key any) any {
	if key == (attemptsKey{}) {
		return a
	}

	return a.Context.Value(key)
}

// attemptsOf returns those of a call with this context, or nil.
func attemptsOf(ctx context.Context) *Attempts {
	a, _ := ctx.Value(attemptsKey{}).(*Attempts)
	return a
}

// count counts an attempt that has ended.
func (a *Attempts) count(trailer metadata.MD) {
	if a != nil {
		a.pushback.Store(len(trailer["grpc-retry-pushback-ms"]) > 0)
		a.ended.Add(1)
	}
}

// retract takes back an attempt: its address has just lost its connection, and gRPC asks for another.
func (a *Attempts) retract() {
	if a == nil {
		return
	}

	t := a.addresses()

	t.mu.Lock()
	defer t.mu.Unlock()

	t.made--
}

// addresses returns where attempts were made.
func (a *Attempts) addresses() *tried {
	if a.shared != nil {
		return a.shared
	}

	return &a.tried
}
