package cache

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// request is the request that is made for a client's, and for all identical ones. It has only what matters; see key.
type request struct {
	method  string
	host    string
	url     url.URL
	header  http.Header
	forward map[string][]string
	body    []byte
}

// newRequest is the request for a client's with the canonical query and the body.
func (rt *route) newRequest(r *http.Request, query string, body []byte) request {
	f := request{
		method: r.Method, host: r.Host, url: *r.URL, forward: withoutConditions(reqinfo.From(r.Context()).Forward), body: body,
	}
	f.url.RawPath, f.url.RawQuery = canonicalPath(r.URL), query
	f.setHeader(rt, r.Header)

	// Its response serves both (RFC 9110, section 9.3.2).
	if f.method == http.MethodHead {
		f.method = http.MethodGet
	}

	return f
}

// prepare implements fetcher. The fetch has all its time before it.
func (e *exchange) prepare() *reqinfo.Record {
	work := e.forkRecord(e.rec, e.request.forward)
	work.Start = time.Now()

	if !mayForce(e.rec, e.policy.Public) {
		work.CacheControl = nil
	}

	return work
}

// deadlines implements fetcher. All requests to a route have the same timeout, so that no fetch that begins later than a request
// runs out of time before it does.
func (e *exchange) deadlines() (own, others time.Time) {
	return time.Now().Add(e.timeout), time.Time{}
}

// fetch implements fetcher. The handler gets a header of its own: what outer layers set is for one request. The body of the
// response is a single message of a backend, whose size is bounded there.
func (e *exchange) fetch(ctx context.Context) recorded {
	tags := &collectedTags{}
	ctx = context.WithValue(ctx, tagsKey{}, tags)

	rec := response.Record(nil, 0)
	e.route.next.ServeHTTP(rec, e.request.with(ctx))

	recorded := newRecorded(rec)
	recorded.tags, recorded.tagsComplete = tags.complete()

	return recorded
}

// with is what the handler gets. It is built from scratch, so that it has nothing of the client's that it should not have.
func (f *request) with(ctx context.Context) *http.Request {
	target, header := f.url, f.header.Clone()
	if header == nil {
		header = http.Header{}
	}

	r := &http.Request{
		Method: f.method, URL: &target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Host: f.host,
		RequestURI: target.RequestURI(), Body: http.NoBody, ContentLength: int64(len(f.body)),
	}

	if len(f.body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(f.body))
	}

	return r.WithContext(ctx)
}
