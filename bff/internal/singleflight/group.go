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

// Role is what a caller has to do with a call.
type Role int

const (
	// Led means that the caller has made the call.
	Led Role = iota
	// Shared means that it has the result of another caller.
	Shared
	// Left means that its context has ended while it waited, and the error is that of the context.
	Left
)

// Do makes the call, or waits for one with the same key.
func (g *Group[K, V]) Do(ctx context.Context, key K, call func() (V, error)) (value V, role Role, err error) {
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

		return value, Led, err
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
			return value, Left, ctx.Err()
		}
	}

	if !caller.Leads() {
		return c.value, Shared, c.err
	}

	// It may have ended as well.
	if role = Led; ctx.Err() != nil {
		role, call = Left, func() (value V, err error) { return value, ctx.Err() }
	}

	value, err = g.lead(ctx, key, c, call)

	return value, role, err
}

// lead makes a call and publishes the result, or hands the call over.
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
