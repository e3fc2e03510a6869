package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// readyInterval is how often the balancer looks whether a gateway is ready.
	readyInterval = 50 * time.Millisecond
	// readyPatience is how long a gateway may take to say so.
	readyPatience = time.Second
)

// errNotReady says that a gateway was started in vain.
var errNotReady = errors.New("the gateway does not become ready")

// balancer sends requests to the gateways in turn, as a load balancer does: not to those whose readiness fails, and to another one
// when a connection is refused. It is safe for concurrent use.
type balancer struct {
	endpoints []*endpoint
	next      atomic.Uint64
	requests  *http.Client
	checks    *http.Client
	halt      context.CancelFunc
	looking   sync.WaitGroup
}

// endpoint is where a gateway is.
type endpoint struct {
	ready atomic.Bool
	at    atomic.Pointer[location]
}

type location struct{ url, admin string }

// move is for a gateway that was started again.
func (e *endpoint) move(url, admin string) { e.at.Store(&location{url, admin}) }

// newBalancer looks after so many gateways until close.
func newBalancer(count int) *balancer {
	ctx, halt := context.WithCancel(context.Background())
	b := &balancer{requests: client(requestTimeout), checks: client(readyPatience), halt: halt}

	for range count {
		e := &endpoint{}
		b.endpoints = append(b.endpoints, e)
		b.looking.Go(func() { b.look(ctx, e) })
	}

	return b
}

func (b *balancer) close() {
	b.halt()
	b.looking.Wait()
	b.requests.CloseIdleConnections()
	b.checks.CloseIdleConnections()
}

func (b *balancer) look(ctx context.Context, e *endpoint) {
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()

	for {
		e.ready.Store(b.check(ctx, e))

		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (b *balancer) check(ctx context.Context, e *endpoint) bool {
	at := e.at.Load()
	if at == nil {
		return false
	}

	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.admin+"/readyz", http.NoBody)
	if err != nil {
		return false
	}

	res, err := b.checks.Do(r)
	if err != nil {
		return false
	}

	_ = res.Body.Close() // What it says besides does not matter.

	return res.StatusCode == http.StatusOK
}

func (b *balancer) awaitReady(ctx context.Context, e *endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()

	for !e.ready.Load() {
		select {
		case <-ctx.Done():
			return errNotReady
		case <-time.After(pollInterval):
		}
	}

	return nil
}

// send gives the request to a gateway; build makes it for a URL. The error is that of the last gateway asked.
func (b *balancer) send(build func(url string) (*http.Request, error)) (*http.Response, error) {
	var failures []error

	for _, e := range b.order() {
		r, err := build(e.at.Load().url)
		if err != nil {
			return nil, fmt.Errorf("build request: %w", err)
		}

		res, err := b.requests.Do(r)
		if !refused(err) {
			return res, err
		}

		e.ready.Store(false)

		failures = append(failures, err)
	}

	return nil, errors.Join(failures...)
}

// order gives all of them, each time with another in front, and those that are not ready behind the others.
func (b *balancer) order() []*endpoint {
	first := int(b.next.Add(1) % uint64(len(b.endpoints)))
	list := slices.Concat(b.endpoints[first:], b.endpoints[:first])

	slices.SortStableFunc(list, func(one, other *endpoint) int { return count(!one.ready.Load()) - count(!other.ready.Load()) })

	return list
}

// refused reports whether there was not even a connection: the request was seen by nobody.
func refused(err error) bool {
	var op *net.OpError

	return errors.As(err, &op) && op.Op == "dial"
}
