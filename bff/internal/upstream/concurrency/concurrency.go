// Package concurrency bounds how many calls to a backend are in flight, so that an overloaded backend gets no more of them: it
// would finish ever fewer in time. The limit follows the latency of calls, compared with that of calls of the same kind under low
// load (after the gradient algorithm of Netflix's concurrency-limits).
//
// It is our own because the adaptive limiter of failsafe-go, which was tried, does worse: with a backend that is offered twice its
// capacity, its limit swings below that, so that as little as 70 % gets done, and its defaults hold up a load that rises suddenly,
// although the backend could handle it.
//
// A call without a permit is refused at once. Nothing is queued for a backend that is behind already.
package concurrency

import (
	"math"
	"sync"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

// Limiter bounds the calls to one backend. It is safe for concurrent use. A nil one lets everything through.
type Limiter struct {
	settings config.Concurrency
	onChange func(limit int)

	mu       sync.Mutex
	limit    float64
	inFlight int
	unloaded map[string]*average
	window   window
	probe    probe
}

// Latency may grow by half before the limit falls, so that in a steady overload a third of the calls wait in the backend, which is
// therefore never idle: with half the limit, as in a probe, it is still nearly busy.
const (
	tolerance   = 1.5
	smoothing   = 0.3
	minGradient = 0.5
	windowTime  = 250 * time.Millisecond
	minSamples  = 20
)

// New returns a limiter with no calls in flight. onChange, if not nil, is called for each change of the limit; it must not block or
// call the limiter.
func New(cfg config.Concurrency, onChange func(limit int)) *Limiter {
	initial := float64(cfg.Initial)
	return &Limiter{
		settings: cfg, onChange: onChange, limit: initial, unloaded: map[string]*average{},
		probe: probe{lastQuiet: time.Now(), limit: initial},
	}
}

// Permit admits a call. One of its methods must be called, once; the zero value is that of a nil limiter.
type Permit struct {
	limiter *Limiter
	kind    string
	start   time.Time
	quiet   bool
}

// Acquire returns a permit for a call of a kind, one of a bounded set, unless the limit is reached. Calls of negative priority may
// use 80 % of the limit, those of priority zero 95 %, and all others all of it. The caller must end the permit with Done or Drop.
func (l *Limiter) Acquire(kind string, priority int, now time.Time) (Permit, bool) {
	if l == nil {
		return Permit{}, true
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	limit := l.limit
	if l.probe.running(now, limit) {
		limit /= half
	}

	if l.inFlight >= share(limit, priority) {
		return Permit{}, false
	}

	l.inFlight++

	return Permit{limiter: l, kind: kind, start: now, quiet: float64(l.inFlight) <= l.limit/half}, true
}

const half = 2

// share is the part of the limit that calls of the priority may use, at least one.
func share(limit float64, priority int) int {
	const low, normal = 0.8, 0.95

	switch {
	case priority < 0:
		limit *= low
	case priority == 0:
		limit *= normal
	}

	return max(1, int(math.Ceil(limit)))
}

// Done releases the permit, and reports to the limiter how long the backend took to reply.
func (p Permit) Done() {
	if p.limiter != nil {
		p.limiter.done(p, time.Now())
	}
}

// Drop releases the permit of a call whose time says nothing: it was cancelled, or the backend was down.
func (p Permit) Drop() {
	if p.limiter != nil {
		p.limiter.drop()
	}
}

// Limit returns how many calls may be in flight now, and how many are.
func (l *Limiter) Limit() (limit, inFlight int) {
	if l == nil {
		return 0, 0
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	return int(l.limit), l.inFlight
}

func (l *Limiter) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.inFlight--
}

func (l *Limiter) done(p Permit, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.inFlight--

	took := now.Sub(p.start).Seconds()

	unloaded, known := l.unloaded[p.kind]
	if !known {
		unloaded = &average{}
		l.unloaded[p.kind] = unloaded
	}

	switch {
	case p.quiet:
		unloaded.add(took)
		l.probe.done(p.start, now)
	case known:
		l.window.add(unloaded.value, took)
	}

	if l.window.full(now) {
		l.adjust(l.window.gradient(), now)
		l.window = window{end: now.Add(windowTime)}
	}
}

// adjust changes the limit by the gradient; 1 means that calls take no longer than under low load.
func (l *Limiter) adjust(gradient float64, now time.Time) {
	before := int(l.limit)
	target := gradient*l.limit + math.Sqrt(l.limit)

	if gradient == 1 {
		l.limit = target
	} else {
		l.limit += smoothing * (target - l.limit)
	}

	l.limit = min(max(l.limit, float64(l.settings.Min)), float64(l.settings.Max))

	// If calls are slow for another reason than the load, a new baseline is needed, which only calls under low load provide.
	if gradient < 1 {
		l.probe.request(now, l.limit)
	}

	if after := int(l.limit); after != before && l.onChange != nil {
		l.onChange(after)
	}
}
