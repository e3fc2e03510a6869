package cache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// errNoResponse is the fault if a handler ends its goroutine.
var errNoResponse = errors.New("the handler did not return")

type result struct {
	response recorded
	// fault is why there is no response.
	fault error
	// work is the record of the fetch.
	work *reqinfo.Record
	// cacheable reports that clients may store the response, stored that the store did.
	cacheable, stored bool
	// late reports that the fetch ran out of time.
	late bool
	// changed reports that what the response is made of may have changed since the fetch began.
	changed bool
}

// failure returns the status of a result that says that there is no response at the moment.
func (r *result) failure() (status int, failed bool) {
	if r.fault != nil {
		return http.StatusInternalServerError, true
	}

	return r.response.status, r.response.unavailable()
}

// cause is that of a failure, for the log. It may not be known.
func (r *result) cause() error {
	if r.fault != nil {
		return r.fault
	}

	if r.response.err != nil {
		return r.response.err
	}

	_, cause := r.work.Outcome()

	return cause
}

// forkRecord returns the record of a fetch for the request of another record, with what backends get of the client's header. A
// response must not depend on which of a caller's credentials was used first, unless the key has it, nor a public one on who
// happened to ask for it.
func (s *sharing) forkRecord(rec *reqinfo.Record, forward map[string][]string) *reqinfo.Record {
	work := rec.Fork()
	work.Forward, work.Authorization = forward, s.authorizationOf(rec)

	if s.policy.Public {
		work.Client, work.APIKey = netip.Addr{}, ""
		work.Principal = reqinfo.Principal{Tenant: work.Principal.Tenant}
	}

	// What is forwarded is the same, or less.
	if !s.policy.Public && len(forward) == len(rec.Forward) {
		work.ShareMetadata(rec)
	}

	return work
}

// run makes the fetch, until its deadline. It is called on a goroutine of its own. A panic is an error with the place.
func (l *lookup) run(c *call, work *reqinfo.Record) {
	res := &c.result
	res.work, res.fault = work, errNoResponse
	c.values.record = work

	defer func() {
		if cause := recover(); cause != nil {
			res.fault = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}

		l.cache.calls.finish(c)
	}()

	res.response, res.fault = l.fetch(c.ctx), nil
	res.late = res.response.status == http.StatusGatewayTimeout && c.almostOver()
	l.settle(c, res)
}

// settle stores the response if it may, and finds out whether it may be served to requests that came while it was fetched.
func (l *lookup) settle(c *call, res *result) {
	if !l.usesStore() {
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), storeTimeout)
	defer cancel()

	response := &res.response

	res.cacheable = l.policy.TTL > 0 && response.storable(res.work) && (response.tagsComplete || !l.tagged)
	if res.cacheable {
		// A response for which nobody waits any more may be older than that of the next call.
		entry := response.entry()
		res.stored = l.known && l.store && l.cache.calls.awaited(c) && entrySize(entry) <= maxEntry && l.put(ctx, c.key, entry)
	}

	// In this order: a write may be acknowledged after the response was stored, and a request that comes then does not find it in
	// the store, but would find the call.
	if shared := l.cache.calls.complete(c); l.tagged && shared {
		tags := response.tags
		if !response.tagsComplete {
			tags = nil
		}

		res.changed = !l.known || l.changed(ctx, tags)
	}
}

func (l *lookup) put(ctx context.Context, key Key, entry *Entry) bool {
	stored, err := l.cache.store.Put(ctx, key, entry, l.found.Now, l.life)

	switch {
	case err != nil:
		l.observe(StoreError)
	case stored:
		l.observe(Stored)
	}

	return err == nil && stored
}

// changed reports whether one of the tags, or, if there are none, any was invalidated since the lookup, or may have been.
func (l *lookup) changed(ctx context.Context, tags []string) bool {
	changed, err := l.cache.store.Changed(ctx, tags, l.found.Now)
	if err != nil {
		l.observe(StoreError)
	}

	return err != nil || changed
}
