package singleflight

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrExited is what those get who wait for a call that has panicked, or ended its goroutine.
var ErrExited = status.Error(codes.Internal, "the call has ended without a result")

// Group are calls by key, at most one of each at a time. The zero value has none. It is safe for concurrent use.
type Group[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*groupCall[V]
}

type groupCall[V any] struct {
	Call

	value V
	err   error
}

// Do makes the call, or waits for one with the same key, whose result is shared. If the context ends while it waits, the error is
// that of the context, and not shared.
func (g *Group[K, V]) Do(ctx context.Context, key K, call func() (V, error)) (value V, shared bool, err error) {
	g.mu.Lock()

	c, known := g.calls[key]
	if !known {
		if g.calls == nil {
			g.calls = map[K]*groupCall[V]{}
		}

		c = new(groupCall[V])
		g.calls[key] = c
		g.mu.Unlock()

		value, err = g.lead(ctx, key, c, call)

		return value, false, err
	}

	caller := c.Join(ctx)
	g.mu.Unlock()

	select {
	case <-caller.Woken():
	case <-ctx.Done():
		g.mu.Lock()
		left := c.Leave(caller)
		g.mu.Unlock()

		if left {
			return value, false, ctx.Err()
		}
	}

	if !caller.Leads() {
		return c.value, true, c.err
	}

	value, err = g.lead(ctx, key, c, func() (value V, err error) {
		// It may have ended as well.
		if err := ctx.Err(); err != nil {
			return value, err
		}

		return call()
	})

	return value, false, err
}

func (g *Group[K, V]) lead(ctx context.Context, key K, c *groupCall[V], call func() (V, error)) (value V, err error) {
	err = ErrExited
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()

		if GaveUp(ctx, err) && HandOver(&c.Call) {
			return
		}

		delete(g.calls, key)
		c.value, c.err = value, err
		c.End()
	}()

	return call()
}
