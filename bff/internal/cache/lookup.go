package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// lookup is a client's request on its way through the cache.
type lookup struct {
	*route

	w       http.ResponseWriter
	r       *http.Request
	rec     *reqinfo.Record
	control control
	// arrived is when it came, by the clock of the calls.
	arrived int64

	fetch *fetch
	key   Key

	// found is what the store had at the time looked, when so many calls had ended.
	found  Found
	looked time.Time
	ended  uint64
	// again reports that the request has waited for a fetch that came to its deadline, and comes again.
	again bool
}

// ServeHTTP implements http.Handler.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := rt.cache.calls.now()

	query, ok := canonicalQuery(r.URL.RawQuery, rt.rule.Ignore)
	if !ok {
		rt.pass(w, r)

		return
	}

	body, err := readBody(r)
	if err != nil {
		rec := reqinfo.From(r.Context())
		problem.Write(w, r, problem.Unread(r.Context(), err, rec.BodyExceeded, rec.BodyLimit), err)

		return
	}

	l := &lookup{route: rt, w: w, r: r, rec: reqinfo.From(r.Context()), arrived: arrived, fetch: rt.newFetch(r, query, body)}
	l.key = l.fetch.key()

	if rt.rule.Cache.TTL > 0 {
		l.control = parseControl(r.Header)
	}

	// Anyone who can have a new answer made for all can have many of them made.
	if rt.rule.Cache.Public && l.rec.Principal.Anonymous() {
		l.control.ignoreForcing()
	}

	l.serve()
}

// pass lets the handler answer by itself.
func (rt *route) pass(w http.ResponseWriter, r *http.Request) {
	rt.note(Bypass)
	w.Header().Add(headerCacheStatus, statusBypass)
	rt.next.ServeHTTP(w, r)
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}

	// It may be there already.
	if body, ok := r.Body.(interface{ Bytes() ([]byte, error) }); ok {
		return body.Bytes()
	}

	return io.ReadAll(r.Body)
}

// serve answers the request. It looks into the store first; where a call can be of no use, it comes again after that, and then
// it finds or begins one that is.
func (l *lookup) serve() {
	// In a flood of misses a call may end at any time; one miss too many does no harm.
	const looks = 3

	for tries := 1; ; tries++ {
		l.look()

		if l.hit() {
			return
		}

		if l.control.onlyIfCached {
			l.w.Header().Add(headerCacheStatus, statusOnlyIfCached)
			l.note(Miss)
			problem.Write(l.w, l.r, problem.WithStatus(http.StatusGatewayTimeout, codes.Unavailable,
				"there is no stored answer, and the request asks for no other"), nil)

			return
		}

		if l.do(tries < looks) {
			return
		}
	}
}

// look asks the store. If that fails, the request goes on without it.
func (l *lookup) look() {
	l.ended = l.cache.calls.ended(l.key)
	l.found, l.fetch.known = Found{}, false

	if !l.looks() {
		return
	}

	found, err := l.cache.store.Lookup(l.r.Context(), l.key)
	if err != nil {
		l.note(StoreError)

		return
	}

	l.found, l.looked = found, time.Now()
	l.fetch.begun, l.fetch.known, l.fetch.keep = found.Now, true, !l.control.noStore
}

// age is how old the entry is by now.
func (l *lookup) age() time.Duration { return l.found.Age + time.Since(l.looked) }

// hit answers with what was found, if the route and the client are content with it.
func (l *lookup) hit() bool {
	if l.found.Entry == nil || l.control.noCache {
		return false
	}

	age, kept := l.age(), l.rule.Cache

	switch {
	case l.control.limited && (age > l.control.maxAge || l.control.maxAge == 0):
		l.control.noCache = true

		return false
	case age < kept.TTL:
		l.note(Hit)
		l.writeEntry(statusHit(kept.TTL - age))

		return true
	case !l.control.limited && age < kept.TTL+kept.StaleWhileRevalidate:
		l.refresh()
		l.note(Stale)
		l.writeEntry(statusHit(kept.TTL-age) + "; detail=stale-while-revalidate")

		return true
	default:
		return false
	}
}

// stale reports whether what was found is better than an error.
func (l *lookup) stale() bool {
	return l.found.Entry != nil && !l.control.noCache && !l.control.limited &&
		l.age() < l.rule.Cache.TTL+l.rule.Cache.StaleIfError
}

// refresh has a new answer fetched while the old one is given out.
func (l *lookup) refresh() {
	select {
	case l.refreshes <- struct{}{}:
	default:
		return
	}

	c, ok := l.cache.calls.background(context.WithoutCancel(l.r.Context()), l.key,
		attachOptions{timeout: l.rule.Timeout, ended: l.ended})
	if !ok {
		<-l.refreshes

		return
	}

	context.AfterFunc(c.ctx, func() { <-l.refreshes })
	l.note(Refresh)

	l.fetch.keep = true
	l.run(c, l.fetch, l.fetch.record())
}

// do waits for the call of the request, which it may have to begin. It returns false if its result is of no use to the request.
func (l *lookup) do(again bool) bool {
	c, role := l.cache.calls.attach(context.WithoutCancel(l.r.Context()), l.key, attachOptions{
		arrived: l.arrived, timeout: l.rule.Timeout, fresh: l.control.noCache, ended: l.ended,
		again: again && l.rule.Cache.TTL > 0 && !l.control.noCache,
	})

	switch role {
	case bypass:
		l.alone()

		return true
	case retry:
		return false
	case leader, follower:
		defer func() { l.cache.calls.detach(c, errors.Is(l.r.Context().Err(), context.DeadlineExceeded)) }()
	case waiter:
	}

	work := l.rec
	if role == leader {
		work = l.fetch.record()
		l.run(c, l.fetch, work)
	}

	if !l.wait(c) {
		l.giveUp(work)

		return true
	}

	if role == waiter || c.began < l.arrived && c.result.changed || role == follower && l.late(c.result) {
		return false
	}

	l.deliver(c.result, role)

	return true
}

// late reports whether the call was over for lack of time while the request, which came later, still has some. That of the next
// one is not over before the request's.
func (l *lookup) late(res *result) bool {
	if !res.late || l.again || l.stale() || l.r.Context().Err() != nil {
		return false
	}

	l.again = true

	return true
}

// wait reports whether the call ended before the time of the request did.
func (l *lookup) wait(c *call) bool {
	select {
	case <-c.done:
		return true
	case <-l.r.Context().Done():
	}

	grace := time.Duration(0)
	if errors.Is(l.r.Context().Err(), context.DeadlineExceeded) {
		grace = answerGrace
	}

	select {
	case <-c.done:
		return true
	case <-time.After(grace):
		return false
	}
}

// giveUp answers a request whose time is over. work is the record of the fetch, if it is the request's own.
func (l *lookup) giveUp(work *reqinfo.Record) {
	for _, name := range work.Upstreams() {
		l.rec.AddUpstream(name)
	}

	err := l.r.Context().Err()
	if errors.Is(err, context.DeadlineExceeded) && l.stale() {
		l.writeStale(http.StatusGatewayTimeout, err)

		return
	}

	l.note(Miss)
	problem.Write(l.w, l.r, problem.From(err), err)
}

// alone lets the request have an answer of its own.
func (l *lookup) alone() {
	l.r.Body = http.NoBody
	if len(l.fetch.body) > 0 {
		l.r.Body = io.NopCloser(bytes.NewReader(l.fetch.body))
	}

	l.pass(l.w, l.r)
}
