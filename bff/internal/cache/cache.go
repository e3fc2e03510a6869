// Package cache serves a response more than once: to identical requests that come while the first is being served, and, for as long
// as a route says, to later ones (RFC 9111). A Cache does that for routes, over a Store of responses, and for the calls that
// composites make, their legs, whose responses are encoded replies.
//
// It belongs outside of compression, so that it stores what goes on the wire, and inside of everything that refuses a request: its
// responses are for callers who are allowed to have them. It does not know which routes are cached, nor what a write changes
// (policy does).
package cache

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

const (
	// storeTimeout bounds calls of the store that do not end with a request.
	storeTimeout = 3 * time.Second
	// maxRefreshes run at a time for each route, so that none waits for the backend of another. An entry that is not refreshed
	// stays stale until the next request for it.
	maxRefreshes = 16
	// resultGrace is how long after its deadline a request to a route still waits for the result of the fetch.
	resultGrace = 50 * time.Millisecond
)

// Event is what happened to a request, or to a response.
type Event string

// The events. Each request is one of the first five.
const (
	// Hit: served from the store.
	Hit Event = "hit"
	// Stale: served from the store, although it was not fresh any more.
	Stale Event = "stale"
	// Miss: fetched.
	Miss Event = "miss"
	// Collapsed: served with what was fetched for another request.
	Collapsed Event = "collapsed"
	// Bypass: served without the cache.
	Bypass Event = "bypass"
	// Stored: a response was stored.
	Stored Event = "stored"
	// Refresh: a fetch began in the background.
	Refresh Event = "refresh"
	// StoreError: a call of the store failed.
	StoreError Event = "store_error"
)

// Rule is how responses of a route are shared.
//
// Without tags, nothing shows that a write has changed what a response is made of. A read after an acknowledged write may then get
// a response that was stored before it, for as long as the schema says, but none whose fetch began before it and still runs, if
// the write was made through the same gateway (see Wrote). With tags, neither happens.
type Rule struct {
	// RPC is the full method.
	RPC string
	// Cache is what the schema says.
	Cache policy.Cache
	// Timeout is how long a fetch may take, whether or not a request still waits for it.
	Timeout time.Duration
	// Headers are those of a request that are bound to fields.
	Headers []string
	// Vary are other headers of a request on which a response may depend: those that are forwarded to backends, and those other
	// than Authorization that have credentials. They are for caches between here and the client.
	Vary []string
	// Authorization reports that a backend gets the Authorization header of the caller. Otherwise the fetch does not have it, and
	// responses are shared by all credentials of a caller.
	Authorization bool
	// Ignore reports which query parameters have no effect. Nil: none.
	Ignore func(parameter string) bool
	// Normalize changes a query to the one of those with the same effect that stands for all of them. Nil: there is but one.
	Normalize func(url.Values)
	// Accept normalizes the values of Accept to one of a few, which the fetch gets instead of them; empty: none. It must be safe
	// for concurrent use. Nil: the fetch gets what the client sent, as it does if the field is bound or forwarded.
	Accept func(values []string) string
	// Public reports that anybody may call the route, with credentials or without.
	Public bool
}

// Cache shares responses. It is safe for concurrent use.
type Cache struct {
	store   Store
	observe func(rpc string, event Event)
	calls   *calls
	view    View
}

// View is how one of several users of a Cache uses it.
type View struct {
	// Representation identifies how responses of routes are written: users with another one do not share them.
	Representation string
	// Hold is called when a fetch begins, which may outlast its request, and release when it has ended. Both must be safe for
	// concurrent use. Nil: nothing is called.
	Hold func() (release func())
}

// With returns a Cache with the same responses and fetches, used in another way. Closing one of them closes all.
func (c *Cache) With(view View) *Cache {
	return &Cache{store: c.store, observe: c.observe, calls: c.calls, view: view}
}

// hold keeps what a fetch needs until release is called.
func (c *Cache) hold() (release func()) {
	if c.view.Hold == nil {
		return func() {}
	}

	return c.view.Hold()
}

// New returns a Cache over the store. It calls observe for each event, if not nil, which must be safe for concurrent use and may
// not block.
func New(store Store, observe func(rpc string, event Event)) *Cache {
	if observe == nil {
		observe = func(string, Event) {}
	}

	return &Cache{store: store, observe: observe, calls: newCalls()}
}

// Route shares the responses of a route. It belongs behind everything that refuses a request, and the deadline is set outside of
// it. The handler gets a request with only those headers that matter, and must not learn about the client's in another way. If
// responses are public, it learns no more about the caller than the tenant. Conditions other than If-None-Match, and ranges, have
// no effect (RFC 9111, section 4.3.2; RFC 9110, section 14.2).
func (c *Cache) Route(rule Rule) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return newRoute(c, rule, next) }
}

// Wrote is called when a call has ended that may have changed something, and before that is acknowledged. Where there are no tags,
// requests that come after it share no fetch that began before it.
func (c *Cache) Wrote() { c.calls.writes.Add(1) }

// Invalidate makes entries with one of the tags obsolete. It is called once a write was executed, and before it is acknowledged. It
// does not end if the client leaves. An error is for the log: other gateways may not know yet.
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

// Close ends all fetches and waits for them. Later requests bypass the cache. The store stays open.
func (c *Cache) Close() { c.calls.close() }
