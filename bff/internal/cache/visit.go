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

// visit is a client's request on its way through the cache.
type visit struct {
	*route

	w       http.ResponseWriter
	r       *http.Request
	rec     *reqinfo.Record
	control control
	// arrived is when it came, by the clock of the flights.
	arrived int64

	fetch *fetch
	key   Key

	// found is what the store had at the time looked, when so many flights had ended.
	found  Found
	looked time.Time
	ended  uint64
	// again reports that the request has waited for a fetch that came to its deadline, and comes again.
	again bool
}

// ServeHTTP implements http.Handler.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := rt.cache.flights.now()

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

	v := &visit{route: rt, w: w, r: r, rec: reqinfo.From(r.Context()), arrived: arrived, fetch: rt.newFetch(r, query, body)}
	v.key = v.fetch.key()

	if rt.rule.Cache.TTL > 0 {
		v.control = parseControl(r.Header)
	}

	// Anyone who can have a new answer made for all can have many of them made.
	if rt.rule.Cache.Public && v.rec.Principal.Anonymous() {
		v.control.harmless()
	}

	v.serve()
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

// serve answers the request. It looks into the store first; where a flight can be of no use, it comes again after that, and then
// it finds or begins one that is.
func (v *visit) serve() {
	// In a flood of misses a flight may end at any time; a miss too many is no harm.
	const looks = 3

	for tries := 1; ; tries++ {
		v.look()

		if v.hit() {
			return
		}

		if v.control.onlyIfCached {
			v.w.Header().Add(headerCacheStatus, statusOnlyIfCached)
			v.note(Miss)
			problem.Write(v.w, v.r, problem.WithStatus(http.StatusGatewayTimeout, codes.Unavailable,
				"there is no stored answer, and the request asks for no other"), nil)

			return
		}

		if v.fly(tries < looks) {
			return
		}
	}
}

// look asks the store. If that fails, the request goes on without it.
func (v *visit) look() {
	v.ended = v.cache.flights.ended(v.key)
	v.found, v.fetch.known = Found{}, false

	if !v.looks() {
		return
	}

	found, err := v.cache.store.Lookup(v.r.Context(), v.key)
	if err != nil {
		v.note(StoreError)

		return
	}

	v.found, v.looked = found, time.Now()
	v.fetch.begun, v.fetch.known, v.fetch.keep = found.Now, true, !v.control.noStore
}

// age is how old the entry is by now.
func (v *visit) age() time.Duration { return v.found.Age + time.Since(v.looked) }

// hit answers with what was found, if the route and the client are content with it.
func (v *visit) hit() bool {
	if v.found.Entry == nil || v.control.noCache {
		return false
	}

	age, kept := v.age(), v.rule.Cache

	switch {
	case v.control.limited && (age > v.control.maxAge || v.control.maxAge == 0):
		v.control.noCache = true

		return false
	case age < kept.TTL:
		v.note(Hit)
		v.writeEntry(statusHit(kept.TTL - age))

		return true
	case !v.control.limited && age < kept.TTL+kept.StaleWhileRevalidate:
		v.refresh()
		v.note(Stale)
		v.writeEntry(statusHit(kept.TTL-age) + "; detail=stale-while-revalidate")

		return true
	default:
		return false
	}
}

// stale reports whether what was found is better than an error.
func (v *visit) stale() bool {
	return v.found.Entry != nil && !v.control.noCache && !v.control.limited &&
		v.age() < v.rule.Cache.TTL+v.rule.Cache.StaleIfError
}

// refresh has a new answer fetched while the old one is given out.
func (v *visit) refresh() {
	select {
	case v.refreshes <- struct{}{}:
	default:
		return
	}

	fl, ok := v.cache.flights.background(context.WithoutCancel(v.r.Context()), v.key, wish{timeout: v.rule.Timeout, ended: v.ended})
	if !ok {
		<-v.refreshes

		return
	}

	context.AfterFunc(fl.ctx, func() { <-v.refreshes })
	v.note(Refresh)

	v.fetch.keep = true
	v.run(fl, v.fetch, v.fetch.record())
}

// fly waits for the flight of the request, which it may have to begin. It returns false if that is not the answer.
func (v *visit) fly(again bool) bool {
	fl, role := v.cache.flights.join(context.WithoutCancel(v.r.Context()), v.key, wish{
		arrived: v.arrived, timeout: v.rule.Timeout, fresh: v.control.noCache, ended: v.ended,
		again: again && v.rule.Cache.TTL > 0 && !v.control.noCache,
	})

	switch role {
	case outsider:
		v.alone()

		return true
	case returner:
		return false
	case leader, follower:
		defer func() { v.cache.flights.leave(fl, errors.Is(v.r.Context().Err(), context.DeadlineExceeded)) }()
	case watcher:
	}

	work := v.rec
	if role == leader {
		work = v.fetch.record()
		v.run(fl, v.fetch, work)
	}

	if !v.wait(fl) {
		v.giveUp(work)

		return true
	}

	if role == watcher || fl.began < v.arrived && fl.result.changed || role == follower && v.late(fl.result) {
		return false
	}

	v.deliver(fl.result, role)

	return true
}

// late reports whether the flight was over for lack of time while the request, which came later, still has some. That of the next
// one is not over before the request's.
func (v *visit) late(res *result) bool {
	if !res.late || v.again || v.stale() || v.r.Context().Err() != nil {
		return false
	}

	v.again = true

	return true
}

// wait reports whether the flight ended before the time of the request did.
func (v *visit) wait(fl *flight) bool {
	select {
	case <-fl.done:
		return true
	case <-v.r.Context().Done():
	}

	grace := time.Duration(0)
	if errors.Is(v.r.Context().Err(), context.DeadlineExceeded) {
		grace = answerGrace
	}

	select {
	case <-fl.done:
		return true
	case <-time.After(grace):
		return false
	}
}

// giveUp answers a request whose time is over. work is the record of the fetch, if it is the request's own.
func (v *visit) giveUp(work *reqinfo.Record) {
	for _, name := range work.Upstreams() {
		v.rec.AddUpstream(name)
	}

	err := v.r.Context().Err()
	if errors.Is(err, context.DeadlineExceeded) && v.stale() {
		v.writeStale(http.StatusGatewayTimeout, err)

		return
	}

	v.note(Miss)
	problem.Write(v.w, v.r, problem.From(err), err)
}

// alone lets the request have an answer of its own.
func (v *visit) alone() {
	v.r.Body = http.NoBody
	if len(v.fetch.body) > 0 {
		v.r.Body = io.NopCloser(bytes.NewReader(v.fetch.body))
	}

	v.pass(v.w, v.r)
}
