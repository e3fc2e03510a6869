// Package concurrency bounds how many calls to a backend are under way at once, so that one that has too much to do is not given
// more: it would finish ever fewer of them in time. The bound follows the time that calls take, compared with what calls of the
// same kind take while there is little to do (after the gradient algorithm of Netflix's concurrency-limits).
//
// It is our own because the adaptive limiter of failsafe-go, which was tried, does worse: with a backend that is offered twice what
// it can do, its limit swings below that, so that as little as 70 % gets done, and its defaults hold up a load that rises suddenly,
// though the backend could take it.
//
// What finds no permit is refused at once. Nothing waits here: it would wait for a backend that is behind already.
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
	alone    map[string]*average
	window   window
	probe    probe
}

// The steering. Latency may grow by half before the limit falls, so that in the steady state of an overload a third of the calls
// wait in the backend, which therefore never runs dry: with half the limit, as in a probe, it is still nearly busy.
const (
	tolerance  = 1.5
	smoothing  = 0.3
	sharpest   = 0.5
	windowTime = 250 * time.Millisecond
	minSamples = 20
)

// New returns a limiter with nothing under way. onChange, if not nil, is told of each change of the limit; it must not block or
// call the limiter.
func New(cfg config.Concurrency, onChange func(limit int)) *Limiter {
	initial := float64(cfg.Initial)

	return &Limiter{
		settings: cfg, onChange: onChange, limit: initial, alone: map[string]*average{},
		probe: probe{calm: time.Now(), limit: initial},
	}
}

// Permit is the consent to a call. Its methods may be called once; the zero value, of a nil limiter, permits everything.
type Permit struct {
	limiter *Limiter
	kind    string
	start   time.Time
	quiet   bool
}

// Acquire asks for a permit for a call of a kind, one of a bounded set. Those of negative priority may use 80 % of the limit, those
// of priority zero 95 %, and all others the whole. If there is one, the caller must end it with Answered or Drop.
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

// Answered releases the permit, and reports to the limiter how long the backend took to answer.
func (p Permit) Answered() {
	if p.limiter != nil {
		p.limiter.answered(p, time.Now())
	}
}

// Drop releases the permit of a call whose time says nothing: it was given up, or the backend was not there.
func (p Permit) Drop() {
	if p.limiter != nil {
		p.limiter.drop()
	}
}

// Limit is how many calls may be under way now, and InFlight how many are.
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

func (l *Limiter) answered(p Permit, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.inFlight--

	took := now.Sub(p.start).Seconds()

	alone, known := l.alone[p.kind]
	if !known {
		alone = &average{}
		l.alone[p.kind] = alone
	}

	switch {
	case p.quiet:
		alone.add(took)
		l.probe.answered(p.start, now)
	case known:
		l.window.add(alone.value, took)
	}

	if l.window.full(now) {
		l.steer(l.window.gradient(), now)
		l.window = window{end: now.Add(windowTime)}
	}
}

// steer moves the limit to where the gradient says: a gradient of 1 means that calls take no longer than alone.
func (l *Limiter) steer(gradient float64, now time.Time) {
	before := int(l.limit)
	target := gradient*l.limit + math.Sqrt(l.limit)

	if gradient == 1 {
		l.limit = target
	} else {
		l.limit += smoothing * (target - l.limit)
	}

	l.limit = min(max(l.limit, float64(l.settings.Min)), float64(l.settings.Max))

	// What is slow for another reason than the load needs a new measure, which only calls with little beside them give.
	if gradient < 1 {
		l.probe.request(now, l.limit)
	}

	if after := int(l.limit); after != before && l.onChange != nil {
		l.onChange(after)
	}
}
