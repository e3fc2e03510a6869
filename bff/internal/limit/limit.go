// Package limit refuses callers that send too many requests. A Limiter counts what was taken from buckets and daily quotas, in a
// Memory or in a Store that gateways share; PerClient and Route put it in front of handlers and tell clients what is left.
//
// It does not queue or delay anything, it does not protect backends from the load of all callers together (upstream's in-flight
// limits do), and it does not know which limits a route has (policy does).
package limit

import (
	"context"
	"slices"
	"time"
)

// Store stores buckets. It is safe for concurrent use, may block, and ends with the context.
type Store interface {
	// Take decides on all limits of one request, which have different keys, at once: each must allow it, and otherwise nothing is
	// taken from any. The decisions are in the order of the requests. After an error nothing is known about them.
	Take(ctx context.Context, requests []Request) ([]Decision, error)
}

// Request asks one limit for tokens.
type Request struct {
	// Key must always come with the same Rate.
	Key  Key
	Rate Rate
	// Cost is how many tokens are taken, at least one. A bucket never has more than its size.
	Cost int64
}

// Decision is that of one limit on a request.
type Decision struct {
	// Allowed reports whether the limit allows the request. If it does not, the request has cost nothing.
	Allowed bool
	// Limit is the size of the bucket, Remaining what is left in it.
	Limit, Remaining int64
	// ResetAfter is the time until the bucket is full, if nothing is taken from it.
	ResetAfter time.Duration
	// RetryAfter is the time until the request would be allowed; zero if this one was.
	RetryAfter time.Duration
}

// Limiter decides on requests, with the buckets of one gateway or of all. It is safe for concurrent use, has no goroutine and needs
// no closing.
type Limiter struct {
	// LegacyHeaders adds the fields RateLimit-Limit, -Remaining and -Reset of earlier drafts, up to 06, to responses. It must be
	// set before the first request.
	LegacyHeaders bool
	// Observe returns what counts the requests that a limit allows and those that it refuses, for one kind of key. The RPC is that
	// of a route, as gRPC calls it, or empty for PerClient. It is called when a limit is made; the functions must be safe for
	// concurrent use and not block. It must be set before the first route. Nil: nobody counts.
	Observe func(rpc, limit, key string) (allowed, refused func())

	local *Memory
	// clients are the buckets of PerClient, apart from those of routes: anyone with many addresses can fill them, but nothing else.
	clients  *Memory
	shared   Store
	onOutage func(error)
}

// New returns a Limiter for one gateway. It remembers up to maxKeys buckets of each kind, as a Memory does, and as many of
// PerClient.
func New(maxKeys int) *Limiter { return NewShared(maxKeys, nil, nil) }

// NewShared returns a Limiter for one of many gateways that share the store. While that fails, each gateway limits by itself, or
// refuses everything, as the policies say. onOutage, if not nil, is called for each affected request; it must not block.
func NewShared(maxKeys int, store Store, onOutage func(error)) *Limiter {
	if onOutage == nil {
		onOutage = func(error) {}
	}

	return &Limiter{local: NewMemory(maxKeys), clients: NewMemory(maxKeys), shared: store, onOutage: onOutage}
}

// Resize changes how many buckets are remembered in this gateway.
func (l *Limiter) Resize(maxKeys int) {
	l.local.Resize(maxKeys)
	l.clients.Resize(maxKeys)
}

// With returns a Limiter over the same buckets of this gateway. The store and onOutage are those of NewShared, and legacyHeaders is
// its LegacyHeaders.
func (l *Limiter) With(store Store, onOutage func(error), legacyHeaders bool) *Limiter {
	if onOutage == nil {
		onOutage = func(error) {}
	}

	return &Limiter{LegacyHeaders: legacyHeaders, local: l.local, clients: l.clients, shared: store, onOutage: onOutage}
}

// Len is how many keys are remembered in this gateway. Some of their buckets may be full again.
func (l *Limiter) Len() int { return l.local.Len() + l.clients.Len() }

// take asks the store, and without it this gateway alone, unless the request is refused then. The buffer has a decision for each
// request, and may be what is returned.
func (l *Limiter) take(ctx context.Context, buffer []Decision, requests []Request, closed bool) ([]Decision, error) {
	if l.shared == nil {
		return l.local.take(buffer, requests), nil
	}

	// A copy, as a Store may retain its argument. Without one, all requests would be on the heap.
	decisions, err := l.shared.Take(ctx, slices.Clone(requests))
	if err == nil {
		return decisions, nil
	}

	// A client that has left says nothing about the store.
	if ctx.Err() == nil {
		l.onOutage(err)
	}

	if closed {
		return nil, err
	}

	return l.local.take(buffer, requests), nil
}
