// Package cache gives out answers a second time: to requests that are the same and come while the first is being answered, and for
// as long as a route says, to those that come later (RFC 9111). A Cache does it for routes, over a Store that keeps the answers.
//
// It belongs outside of compression, so that it keeps what goes on the wire, and inside of everything that refuses a request: what
// it gives out was made for somebody who may have it. It does not know which routes want it, nor what a write changes (policy
// does).
package cache

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

const (
	// storeTimeout bounds the calls of the store that nobody can cut short.
	storeTimeout = 3 * time.Second
	// maxRefreshes run at a time for each route, so that none waits for the backend of another. What does not get its turn is asked
	// for again, or is stale until it is no more.
	maxRefreshes = 16
	// answerGrace is how long after its deadline a request waits for what the fetch has to say about it.
	answerGrace = 50 * time.Millisecond
)

// Event is what became of a request, or of an answer.
type Event string

// The events. Of the first five, each request is one.
const (
	// Hit: answered with what was kept.
	Hit Event = "hit"
	// Stale: answered with what was kept, though it was not fresh any more.
	Stale Event = "stale"
	// Miss: fetched.
	Miss Event = "miss"
	// Collapsed: answered with what was fetched for another.
	Collapsed Event = "collapsed"
	// Bypass: passed by.
	Bypass Event = "bypass"
	// Stored: an answer was kept.
	Stored Event = "stored"
	// Refresh: a fetch for which nobody waits began.
	Refresh Event = "refresh"
	// StoreError: a call of the store was of no use.
	StoreError Event = "store_error"
)

// Rule is how answers of a route are shared.
//
// Without tags, nothing shows that a write has changed what a response is made of. A read that comes after a write was acknowledged
// may then get an answer that is kept from before, for as long as the schema says, or one whose fetch began before and still runs:
// that is so if nothing is kept, too. With tags, neither happens.
type Rule struct {
	// RPC is the full method.
	RPC string
	// Cache is what the schema says.
	Cache policy.Cache
	// Timeout is how long a fetch may take, whether or not a request still waits for it.
	Timeout time.Duration
	// Headers are those of a request that are bound to fields.
	Headers []string
	// Vary are other headers of a request on which an answer may depend: those that are let through to backends, and those other
	// than Authorization that have credentials. They are for caches between here and the client.
	Vary []string
	// Ignore reports which query parameters have no effect. Nil: none.
	Ignore func(parameter string) bool
	// Accept spells what the values of Accept ask for in one of a few ways, which the fetch gets instead of them; empty: none. It
	// must be safe for concurrent use. Nil: the fetch gets what the client sent, as it does if the field is bound or let through.
	Accept func(values []string) string
	// Public reports that anybody may call the route, with credentials or without.
	Public bool
}

// Cache shares answers. It is safe for concurrent use.
type Cache struct {
	store   Store
	observe func(rpc string, event Event)
	calls   *calls
}

// New returns a Cache over the store. The function is told of all that happens; it must be safe for concurrent use and may not
// block. Nil: nobody is.
func New(store Store, observe func(rpc string, event Event)) *Cache {
	if observe == nil {
		observe = func(string, Event) {}
	}

	return &Cache{store: store, observe: observe, calls: newCalls()}
}

// Route shares the answers of a route. It belongs behind everything that refuses a request, and the deadline is set outside of it.
// The handler gets a request that has only those headers that count, and must use no other way to learn about the client's. Where
// answers are for all, it learns no more about the caller than the tenant. Conditions other than If-None-Match, and ranges, have no
// effect (RFC 9111, section 4.3.2; RFC 9110, section 14.2).
func (c *Cache) Route(rule Rule) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return newRoute(c, rule, next) }
}

// Invalidate makes obsolete what bears one of the tags. It is called once a write was carried out, and before that is told to
// anybody. It goes on if the client leaves. An error is for the log: other gateways may not know yet.
func (c *Cache) Invalidate(ctx context.Context, tags []string) error {
	if len(tags) == 0 {
		return nil
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()

	if err := c.store.Invalidate(ctx, tags); err != nil {
		c.observe("", StoreError)

		return fmt.Errorf("invalidate %d cache tags: %w", len(tags), err)
	}

	return nil
}

// Close ends all fetches and waits for them. Requests after it pass by the cache. The store is closed by who made it.
func (c *Cache) Close() { c.calls.close() }
