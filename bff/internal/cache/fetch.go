package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// errNoResponse is the fault if a handler ends its goroutine.
var errNoResponse = errors.New("the handler did not return")

// fetch is the request that is made for a client's, and for all identical ones. It has only what matters; see key.
type fetch struct {
	rec     *reqinfo.Record // The client's.
	method  string
	host    string
	url     url.URL
	header  http.Header
	forward map[string][]string
	body    []byte
	public  bool

	// began is when it began, by the store, if that is known. store reports that the response may be stored.
	began Mark
	known bool
	store bool
}

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

// newFetch is the fetch for a request with the canonical query and the body.
func (rt *route) newFetch(r *http.Request, query string, body []byte) *fetch {
	rec := reqinfo.From(r.Context())

	f := &fetch{
		rec: rec, method: r.Method, host: r.Host, url: *r.URL, forward: withoutConditions(rec.Forward), body: body,
		public: rt.rule.Cache.Public,
	}
	f.url.RawPath, f.url.RawQuery = canonicalPath(r.URL), query
	f.header = rt.fetchHeader(r.Header, f)

	// Its response serves both (RFC 9110, section 9.3.2).
	if f.method == http.MethodHead {
		f.method = http.MethodGet
	}

	return f
}

// record is the record of the fetch, which has all its time before it. A public response must not depend on who happened to ask for
// it.
func (f *fetch) record() *reqinfo.Record {
	work := f.rec.Fork()
	work.Start, work.Forward = time.Now(), f.forward

	if f.public {
		work.Client, work.APIKey, work.Authorization = netip.Addr{}, "", ""
		work.Principal = reqinfo.Principal{Tenant: work.Principal.Tenant}
	}

	return work
}

// request is what the handler gets. It is built from scratch, so that it has nothing of the client's that it should not have.
func (f *fetch) request(ctx context.Context) *http.Request {
	target := f.url
	r := &http.Request{
		Method: f.method, URL: &target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: f.header.Clone(), Host: f.host,
		RequestURI: target.RequestURI(), Body: http.NoBody, ContentLength: int64(len(f.body)),
	}

	if len(f.body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(f.body))
	}

	return r.WithContext(ctx)
}

// run makes the fetch on a goroutine of its own, until its deadline. A panic is an error with the place.
func (rt *route) run(c *call, f *fetch, work *reqinfo.Record) {
	go func() {
		res := &result{work: work, fault: errNoResponse}

		defer func() {
			if cause := recover(); cause != nil {
				res.fault = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
			}

			rt.cache.calls.finish(c, res)
		}()

		ctx, cancel := context.WithDeadline(c.ctx, c.deadline)
		defer cancel()

		tags := &collectedTags{}
		ctx = context.WithValue(reqinfo.NewContext(ctx, work), tagsKey{}, tags)

		// A header of its own: what outer layers set is for one request. The body is a single message of a backend, whose size is
		// bounded there.
		rec := response.Record(nil, 0)
		rt.next.ServeHTTP(rec, f.request(ctx))

		res.response, res.fault = newRecorded(rec), nil
		res.late = res.response.status == http.StatusGatewayTimeout && c.almostOver()
		rt.settle(ctx, c, f, tags, res)
	}()
}

// settle stores the response if it may, and finds out whether it may be served to requests that came while it was fetched.
func (rt *route) settle(ctx context.Context, c *call, f *fetch, collected *collectedTags, res *result) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()

	tags, complete := collected.complete()

	res.cacheable = rt.rule.Cache.TTL > 0 && res.response.storable(res.work) && (complete || !rt.tagged)
	if res.cacheable {
		res.response.setETag()

		// A response for which nobody waits any more may be older than that of the next call.
		entry := &Entry{Header: res.response.header, Body: res.response.body, Tags: tags}
		res.stored = f.known && f.store && rt.cache.calls.awaited(c) && entrySize(entry) <= maxEntry &&
			rt.put(ctx, c.key, f.began, entry)
	}

	// In this order: a write may be acknowledged after the response was stored, and a request that comes then does not find it in
	// the store, but would find the call.
	if shared := rt.cache.calls.complete(c); rt.tagged && shared {
		if !complete {
			tags = nil
		}

		res.changed = !f.known || rt.changed(ctx, tags, f.began)
	}
}

func (rt *route) put(ctx context.Context, key Key, began Mark, entry *Entry) bool {
	stored, err := rt.cache.store.Put(ctx, key, entry, began, rt.life)

	switch {
	case err != nil:
		rt.observe(StoreError)
	case stored:
		rt.observe(Stored)
	}

	return err == nil && stored
}

// changed reports whether one of the tags, or, if there are none, any was invalidated since, or may have been.
func (rt *route) changed(ctx context.Context, tags []string, since Mark) bool {
	changed, err := rt.cache.store.Changed(ctx, tags, since)
	if err != nil {
		rt.observe(StoreError)
	}

	return err != nil || changed
}
