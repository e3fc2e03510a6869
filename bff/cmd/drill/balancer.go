package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readyInterval = 50 * time.Millisecond
	// adminTimeout is how long a gateway may take to report its readiness or metrics.
	adminTimeout = time.Second
	// idleConnections are more than the load needs.
	idleConnections = 256
)

// balancer sends requests to the gateways in turn, as a load balancer does: not to those whose readiness fails, and to another one
// if a connection is refused. It is safe for concurrent use.
type balancer struct {
	endpoints []*endpoint
	next      atomic.Uint64
	client    *http.Client
	cancel    context.CancelFunc
	checking  sync.WaitGroup
}

// endpoint is a gateway.
type endpoint struct {
	ready atomic.Bool
	at    atomic.Pointer[location]
}

type location struct{ url, admin string }

// move sets the location of a gateway that was started.
func (e *endpoint) move(url, admin string) { e.at.Store(&location{url, admin}) }

// newBalancer checks the readiness of so many gateways until close.
func newBalancer(count int) *balancer {
	ctx, cancel := context.WithCancel(context.Background())
	b := &balancer{cancel: cancel, client: &http.Client{
		Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: idleConnections},
	}}

	for range count {
		e := &endpoint{}
		b.endpoints = append(b.endpoints, e)
		b.checking.Go(func() {
			for err := error(nil); err == nil; err = pause(ctx, readyInterval) {
				e.ready.Store(b.isReady(ctx, e))
			}
		})
	}

	return b
}

func (b *balancer) close() {
	b.cancel()
	b.checking.Wait()
	b.client.CloseIdleConnections()
}

func (b *balancer) isReady(ctx context.Context, e *endpoint) bool {
	if e.at.Load() == nil {
		return false
	}

	_, err := b.admin(ctx, e, "/readyz")

	return err == nil
}

// admin reads a page of a gateway's admin listener. A status other than 200 is an error.
func (b *balancer) admin(ctx context.Context, e *endpoint, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()

	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.at.Load().admin+path, http.NoBody)
	if err != nil {
		return "", err
	}

	res, err := b.client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // It was read.

	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}

	return string(text), err
}

func (b *balancer) awaitReady(ctx context.Context, e *endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()

	for !e.ready.Load() {
		if err := pause(ctx, pollInterval); err != nil {
			return fmt.Errorf("the gateway does not become ready: %w", err)
		}
	}

	return nil
}

// send sends a request to a gateway; build makes it for a URL. The error is that of the last gateway tried.
func (b *balancer) send(build func(url string) (*http.Request, error)) (*http.Response, error) {
	var failures []error

	for _, e := range b.order() {
		r, err := build(e.at.Load().url)
		if err != nil {
			return nil, fmt.Errorf("build request: %w", err)
		}

		res, err := b.client.Do(r)
		if !refused(err) {
			return res, err
		}

		e.ready.Store(false)

		failures = append(failures, err)
	}

	return nil, errors.Join(failures...)
}

// order returns all gateways, each time with another one first, and those that are not ready last.
func (b *balancer) order() []*endpoint {
	first := int(b.next.Add(1) % uint64(len(b.endpoints)))
	list := slices.Concat(b.endpoints[first:], b.endpoints[:first])

	slices.SortStableFunc(list, func(one, other *endpoint) int { return count(!one.ready.Load()) - count(!other.ready.Load()) })

	return list
}

// refused reports whether there was no connection, so that no gateway saw the request.
func refused(err error) bool {
	var op *net.OpError

	return errors.As(err, &op) && op.Op == "dial"
}
