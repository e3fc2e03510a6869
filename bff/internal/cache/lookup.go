package cache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// sharing is how the responses of a route, or the replies of a method, are shared.
type sharing struct {
	cache  *Cache
	rpc    string
	policy policy.Cache
	// authorization reports that a backend gets the Authorization header of the caller.
	authorization bool
	// timeout is how long a fetch may take, whether or not a request still waits for it.
	timeout time.Duration

	// refreshes has a slot for each refresh that may run.
	refreshes chan struct{}
	// tagged reports that a write can make responses obsolete.
	tagged bool
	// life is how long responses are stored.
	life time.Duration
}

func newSharing(cache *Cache, rpc string, c policy.Cache, authorization bool, timeout time.Duration) sharing {
	return sharing{
		cache: cache, rpc: rpc, policy: c, authorization: authorization, timeout: timeout,
		refreshes: make(chan struct{}, maxRefreshes), tagged: len(c.Tags) > 0,
		life: c.TTL + max(c.StaleWhileRevalidate, c.StaleIfError),
	}
}

func (s *sharing) observe(event Event) { s.cache.observe(s.rpc, event) }

// usesStore reports whether the store matters: responses are stored, or can be invalidated.
func (s *sharing) usesStore() bool { return s.policy.TTL > 0 || s.tagged }

// lookup is a client's request, or a leg of a composite, on its way through the cache.
type lookup struct {
	*sharing
	fetcher

	ctx     context.Context //nolint:containedctx // It is that of the request, which the lookup is a part of.
	rec     *reqinfo.Record
	control control
	key     Key
	// arrived is when it came, by the clock of the calls.
	arrived int64

	// found is what the store had at the time foundAt, when so many calls had ended.
	found   Found
	foundAt time.Time
	ended   uint64
	// known reports that the store could say so, and store that the response may be stored.
	known, store bool
	// retried reports that the request has waited for a fetch that reached its deadline, and is tried again.
	retried bool
	// grace is how long after its deadline the request still waits for the result of a fetch.
	grace time.Duration
}

// fetcher makes the fetch of a lookup.
type fetcher interface {
	// prepare returns the record of the fetch that begins then.
	prepare() *reqinfo.Record
	// fetch returns what serves the request, and others. It is called on a goroutine of its own, which may outlive the request. The
	// context has the deadline and the record of the fetch.
	fetch(ctx context.Context) recorded
	// deadlines are when a fetch that begins now is over at the latest, and until when the fetch for another request must have time
	// to be of use to this one. Zero: it need not.
	deadlines() (own, others time.Time)
}

// outcome is what a request gets: a response, or an error. If it is to be served without the cache, the event is Bypass.
type outcome struct {
	event    Event
	response recorded
	err      error
	// result is that of the fetch. Nil: there was none, or not in time.
	result *result
	// age is that of an entry of the store, and instead the status of the error instead of which it is served.
	age     time.Duration
	instead int
}

// errOnlyIfCached is the error of a request that accepts only a stored response.
var errOnlyIfCached = errors.New("there is no stored response, and the request accepts no other")

// serve serves the request, within a span of its own.
func (l *lookup) serve() outcome {
	if !l.rec.Sampled {
		return l.look()
	}

	var span *tracing.Span

	l.ctx, span = tracing.Start(l.ctx, "cache")
	defer span.End()

	out := l.look()
	span.Text("portico.cache.event", string(out.event))

	return out
}

// look looks into the store first, and then attaches the request to a call or begins one. If the result of that call is of no use
// to it, both are tried again.
func (l *lookup) look() outcome {
	// In a flood of misses a call may end at any time; one miss too many does no harm.
	const lookups = 3

	for tries := 1; ; tries++ {
		l.find()

		if out, ok := l.fromStore(); ok {
			return out
		}

		if l.control.onlyIfCached {
			l.observe(Miss)
			return outcome{event: Miss, err: errOnlyIfCached}
		}

		if out, ok := l.do(tries < lookups); ok {
			return out
		}
	}
}

// find looks into the store. If that fails, the request is served without it.
func (l *lookup) find() {
	l.ended = l.cache.calls.ended(l.key)
	l.found, l.known = Found{}, false

	if !l.usesStore() {
		return
	}

	found, err := l.cache.store.Lookup(l.ctx, l.key)
	if err != nil {
		l.observe(StoreError)
		return
	}

	l.found, l.foundAt = found, time.Now()
	l.known, l.store = true, !l.control.noStore
}

func (l *lookup) age() time.Duration { return l.found.Age + time.Since(l.foundAt) }

// fromStore returns what was found, if policy and client accept it.
func (l *lookup) fromStore() (outcome, bool) {
	if l.found.Entry == nil || l.control.noCache {
		return outcome{}, false
	}

	age := l.age()

	switch {
	case l.control.limited && (age > l.control.maxAge || l.control.maxAge == 0):
		l.control.noCache = true
		return outcome{}, false
	case age < l.policy.TTL:
		return l.entry(Hit, age), true
	case !l.control.limited && age < l.policy.TTL+l.policy.StaleWhileRevalidate:
		l.refresh()
		return l.entry(Stale, age), true
	default:
		return outcome{}, false
	}
}

// entry returns the entry that was found.
func (l *lookup) entry(event Event, age time.Duration) outcome {
	l.observe(event)

	return outcome{
		event: event, age: age,
		response: recorded{status: http.StatusOK, header: l.found.Entry.Header, body: l.found.Entry.Body},
	}
}

// mayServeStale reports whether what was found is better than an error.
func (l *lookup) mayServeStale() bool {
	return l.found.Entry != nil && !l.control.noCache && !l.control.limited && l.age() < l.policy.TTL+l.policy.StaleIfError
}

// staleInstead returns a stale entry instead of an error with this status, and records the cause, which the response does not say.
func (l *lookup) staleInstead(status int, cause error) outcome {
	if cause == nil {
		cause = errors.New("no cause is known")
	}

	code, _ := l.rec.Outcome()
	l.rec.Fail(code, fmt.Errorf("served a stale response instead of %d: %w", status, cause))

	out := l.entry(Stale, l.age())
	out.instead = status

	return out
}

func (l *lookup) refresh() {
	select {
	case l.refreshes <- struct{}{}:
	default:
		return
	}

	c, ok := l.cache.calls.background(l.ctx, l.key,
		attachOptions{deadline: time.Now().Add(l.timeout), ended: l.ended})
	if !ok {
		<-l.refreshes
		return
	}

	release := l.cache.hold()
	c.release = func() {
		<-l.refreshes
		release()
	}
	l.observe(Refresh)

	l.store = true
	go l.run(c, l.prepare())
}

// do waits for the call of the request, which it may have to begin. It returns false if its result is of no use to the request.
func (l *lookup) do(retryable bool) (outcome, bool) {
	o := attachOptions{
		arrived: l.arrived, fresh: l.control.noCache, tagged: l.tagged, ended: l.ended,
		retryable: retryable && l.policy.TTL > 0 && !l.control.noCache,
	}
	o.deadline, o.until = l.deadlines()

	c, role := l.cache.calls.attach(l.ctx, l.key, o)

	switch role {
	case bypass:
		return l.bypass(), true
	case retry:
		return outcome{}, false
	case leader, follower:
		defer func() { l.cache.calls.detach(c, errors.Is(l.ctx.Err(), context.DeadlineExceeded)) }()
	case waiter:
	}

	work := l.rec
	if role == leader {
		work = l.prepare()
		c.release = l.cache.hold()

		go l.run(c, work)
	} else {
		l.link(c)
	}

	if !l.wait(c) {
		return l.giveUp(work), true
	}

	if role == waiter || c.began < l.arrived && c.result.changed || role == follower && l.tooLate(&c.result) {
		return outcome{}, false
	}

	return l.deliver(&c.result, role), true
}

// link links the span of the request to the trace of the one that began the fetch.
func (l *lookup) link(c *call) {
	if l.rec.Sampled {
		tracing.From(l.ctx).Link(c.ctx)
	}
}

func (l *lookup) bypass() outcome {
	l.observe(Bypass)
	return outcome{event: Bypass}
}

// tooLate reports whether the call ran out of time while the request, which came later, has some left. The next call does not run
// out of time before the request.
func (l *lookup) tooLate(res *result) bool {
	if !res.late || l.retried || l.mayServeStale() || l.ctx.Err() != nil {
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
	case <-l.ctx.Done():
	}

	grace := time.Duration(0)
	if errors.Is(l.ctx.Err(), context.DeadlineExceeded) {
		grace = l.grace
	}

	select {
	case <-c.done:
		return true
	case <-time.After(grace):
		return false
	}
}

// deliver returns what was fetched, or, if that is an error, a stale entry.
func (l *lookup) deliver(res *result, r role) outcome {
	if r == follower && res.fault == nil && !res.response.shareable() {
		return l.bypass()
	}

	if status, failed := res.failure(); failed && l.mayServeStale() {
		l.addUpstreams(res.work)
		return l.staleInstead(status, res.cause())
	}

	l.rec.Join(res.work)

	event := Miss
	if r == follower {
		event = Collapsed
	}

	l.observe(event)

	return outcome{event: event, response: res.response, err: res.fault, result: res}
}

// giveUp is for a request whose time is over. work is the record of the fetch, if the request began it.
func (l *lookup) giveUp(work *reqinfo.Record) outcome {
	l.addUpstreams(work)

	err := l.ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) && l.mayServeStale() {
		return l.staleInstead(http.StatusGatewayTimeout, err)
	}

	l.observe(Miss)

	return outcome{event: Miss, err: err}
}

func (l *lookup) addUpstreams(work *reqinfo.Record) {
	for _, name := range work.Upstreams() {
		l.rec.AddUpstream(name)
	}
}
