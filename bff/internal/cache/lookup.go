package cache

import (
	"context"
	"errors"
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

	// found is what the store had at the time foundAt, when so many calls had ended.
	found   Found
	foundAt time.Time
	ended   uint64
	// retried reports that the request has waited for a fetch that reached its deadline, and is tried again.
	retried bool
}

func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := rt.cache.calls.now()

	query, ok := canonicalQuery(r.URL.RawQuery, rt.rule.Ignore)
	if !ok {
		rt.bypass(w, r)
		return
	}

	body, ok := problem.ReadBody(w, r)
	if !ok {
		return
	}

	l := &lookup{route: rt, w: w, r: r, rec: reqinfo.From(r.Context()), arrived: arrived, fetch: rt.newFetch(r, query, body)}
	l.key = l.fetch.key()

	if rt.rule.Cache.TTL > 0 {
		l.control = parseControl(r.Header)
	}

	// Otherwise anyone could have any number of new responses fetched for a shared entry.
	if rt.rule.Cache.Public && l.rec.Principal.Anonymous() {
		l.control.ignoreForcing()
	}

	l.serve()
}

// bypass passes the request on to the handler. Its body can be read again.
func (rt *route) bypass(w http.ResponseWriter, r *http.Request) {
	rt.observe(Bypass)
	w.Header().Add(headerCacheStatus, statusBypass)
	rt.next.ServeHTTP(w, r)
}

// serve looks into the store first, and then attaches the request to a call or begins one. If the result of that call is of no use
// to it, both are tried again.
func (l *lookup) serve() {
	// In a flood of misses a call may end at any time; one miss too many does no harm.
	const lookups = 3

	for tries := 1; ; tries++ {
		l.find()

		if l.serveFound() {
			return
		}

		if l.control.onlyIfCached {
			l.w.Header().Add(headerCacheStatus, statusOnlyIfCached)
			l.observe(Miss)
			problem.Write(l.w, l.r, problem.WithStatus(http.StatusGatewayTimeout, codes.Unavailable,
				"there is no stored response, and the request accepts no other"), nil)

			return
		}

		if l.do(tries < lookups) {
			return
		}
	}
}

// find looks into the store. If that fails, the request is served without it.
func (l *lookup) find() {
	l.ended = l.cache.calls.ended(l.key)
	l.found, l.fetch.known = Found{}, false

	if !l.usesStore() {
		return
	}

	found, err := l.cache.store.Lookup(l.r.Context(), l.key)
	if err != nil {
		l.observe(StoreError)
		return
	}

	l.found, l.foundAt = found, time.Now()
	l.fetch.began, l.fetch.known, l.fetch.store = found.Now, true, !l.control.noStore
}

func (l *lookup) age() time.Duration { return l.found.Age + time.Since(l.foundAt) }

// serveFound serves what was found, if route and client accept it.
func (l *lookup) serveFound() bool {
	if l.found.Entry == nil || l.control.noCache {
		return false
	}

	age, rules := l.age(), l.rule.Cache

	switch {
	case l.control.limited && (age > l.control.maxAge || l.control.maxAge == 0):
		l.control.noCache = true
		return false
	case age < rules.TTL:
		l.observe(Hit)
		l.writeEntry(statusHit(rules.TTL - age))

		return true
	case !l.control.limited && age < rules.TTL+rules.StaleWhileRevalidate:
		l.refresh()
		l.observe(Stale)
		l.writeEntry(statusHit(rules.TTL-age) + "; detail=stale-while-revalidate")

		return true
	default:
		return false
	}
}

// mayServeStale reports whether what was found is better than an error.
func (l *lookup) mayServeStale() bool {
	return l.found.Entry != nil && !l.control.noCache && !l.control.limited &&
		l.age() < l.rule.Cache.TTL+l.rule.Cache.StaleIfError
}

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
	l.observe(Refresh)

	l.fetch.store = true
	l.run(c, l.fetch, l.fetch.record())
}

// do waits for the call of the request, which it may have to begin. It returns false if its result is of no use to the request.
func (l *lookup) do(retryable bool) bool {
	c, role := l.cache.calls.attach(context.WithoutCancel(l.r.Context()), l.key, attachOptions{
		arrived: l.arrived, timeout: l.rule.Timeout, fresh: l.control.noCache, ended: l.ended,
		retryable: retryable && l.rule.Cache.TTL > 0 && !l.control.noCache,
	})

	switch role {
	case bypass:
		l.bypass(l.w, l.r)
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

	if role == waiter || c.began < l.arrived && c.result.changed || role == follower && l.tooLate(c.result) {
		return false
	}

	l.deliver(c.result, role)

	return true
}

// tooLate reports whether the call ran out of time while the request, which came later, has some left. The next call does not run
// out of time before the request.
func (l *lookup) tooLate(res *result) bool {
	if !res.late || l.retried || l.mayServeStale() || l.r.Context().Err() != nil {
		return false
	}

	l.retried = true

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
		grace = resultGrace
	}

	select {
	case <-c.done:
		return true
	case <-time.After(grace):
		return false
	}
}

// giveUp responds to a request whose time is over. work is the record of the fetch, if the request began it.
func (l *lookup) giveUp(work *reqinfo.Record) {
	l.addUpstreams(work)

	err := l.r.Context().Err()
	if errors.Is(err, context.DeadlineExceeded) && l.mayServeStale() {
		l.writeStale(http.StatusGatewayTimeout, err)
		return
	}

	l.observe(Miss)
	problem.Write(l.w, l.r, problem.From(err), err)
}

func (l *lookup) addUpstreams(work *reqinfo.Record) {
	for _, name := range work.Upstreams() {
		l.rec.AddUpstream(name)
	}
}
