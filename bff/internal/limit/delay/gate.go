// Package delay keeps a gateway responsive that gets more requests than its CPU can handle. It measures how long work waits for a
// CPU in this process, and refuses as many requests as it takes to keep that short, before they cost anything.
//
// It is our own because the limiters that were looked at see other things. Those of failsafe-go and of the ports of Netflix's
// concurrency-limits go by how long requests take, and so take slow backends for an overloaded gateway; the shedders of go-zero and
// Kratos go by the use of the CPU by the container, which says nothing about a process that has only some of it.
//
// Package inflight bounds how many requests are under way, and with that the memory of those that wait for backends.
package delay

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Gate refuses requests while work waits too long for a CPU. Its methods are safe for concurrent use, but for Run.
type Gate struct {
	deps    Deps
	history history

	// target is that of the normal priority.
	target atomic.Int64
	// controllers are for the priorities, from low to critical, and shares what they refuse, as bits of a float64.
	controllers [priorities]controller
	shares      [priorities]atomic.Uint64
	// refusing reports that any share is not zero.
	refusing atomic.Bool
	refused  atomic.Int64
	current  atomic.Int64

	episode episode
}

// Deps are the collaborators of a gate.
type Deps struct {
	Logger *slog.Logger
	// Measure returns what happened since its last measurement; false: too little. Nil: that of the Go scheduler.
	Measure func() (Measurement, bool)
}

// Measurement is of a short time.
type Measurement struct {
	// Waited is how long work waited for a CPU.
	Waited time.Duration
	// Queued reports that there is work that waits. Otherwise the wait had another reason than the load, such as other processes,
	// and refusing requests would not shorten it.
	Queued bool
}

const priorities = 3

// notable is how long a delay must be to be remembered. Less is nothing unusual. It does not depend on the target, which may be so
// long that nothing is refused.
const notable = time.Millisecond

// every is how often the delay is measured. A measurement takes a few microseconds.
const every = 10 * time.Millisecond

// New returns a gate that refuses nothing until it runs. A lower priority has half of the target of the next one. So all its
// requests are refused before many of a higher one are: while these keep the delay at their target, the lower one's share grows.
func New(target time.Duration, deps Deps) *Gate {
	if deps.Measure == nil {
		deps.Measure = newLatencies().next
	}

	g := &Gate{deps: deps, history: history{start: time.Now()}}
	g.SetTarget(target)

	return g
}

// SetTarget changes the target.
func (g *Gate) SetTarget(target time.Duration) { g.target.Store(int64(target)) }

// Run measures until the context ends.
func (g *Gate) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()

	for ticks := 1; ; ticks++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if m, ok := g.deps.Measure(); ok {
				g.update(time.Now(), m, ticks)

				ticks = 0
			}
		}
	}
}

func (g *Gate) update(now time.Time, m Measurement, ticks int) {
	g.current.Store(int64(m.Waited))

	if m.Waited > notable {
		g.history.add(now, m.Waited)
	}

	var delay time.Duration
	if m.Queued {
		delay = m.Waited
	}

	const half = 2

	refusing := false
	target := time.Duration(g.target.Load())

	for i, target := range [priorities]time.Duration{target / half, target, target * half} {
		c := &g.controllers[i]
		c.target = target
		c.update(delay, ticks)
		g.shares[i].Store(math.Float64bits(c.share))

		refusing = refusing || c.share > 0
	}

	g.refusing.Store(refusing)
	g.episode.update(now, refusing, delay, g.refused.Load(), g.deps.Logger)
}

// Current is the last delay.
func (g *Gate) Current() time.Duration { return time.Duration(g.current.Load()) }

// Longest is the longest delay since a time, as far back as it is known, which is about 25 seconds. It is zero if none was notable.
func (g *Gate) Longest(since time.Time) time.Duration { return g.history.longest(since, time.Now()) }

// Refused is how many requests were refused.
func (g *Gate) Refused() int64 { return g.refused.Load() }

// CountRefusal counts a request that was refused. The refusal of Handler calls it, since it may serve some requests after all, such
// as preflights.
func (g *Gate) CountRefusal() { g.refused.Add(1) }

// Handler returns what passes requests to next, or to refusal those that are refused. The priority of a request is needed only
// while some are; it must be safe for concurrent use, and should cost little.
func (g *Gate) Handler(priority func(*http.Request) porticov1.Priority) func(refusal, next http.Handler) http.Handler {
	return func(refusal, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if g.refusing.Load() && g.refuses(priority(r)) {
				refusal.ServeHTTP(w, r)

				return
			}

			next.ServeHTTP(w, r)
		})
	}
}

func (g *Gate) refuses(priority porticov1.Priority) bool {
	const low, normal, critical = 0, 1, 2

	class := normal

	switch priority {
	case porticov1.Priority_PRIORITY_LOW:
		class = low
	case porticov1.Priority_PRIORITY_CRITICAL:
		class = critical
	default:
	}

	return rand.Float64() < math.Float64frombits(g.shares[class].Load()) //nolint:gosec // It is no secret.
}

// episode is a time of overload, which is logged at its beginning and its end.
type episode struct {
	on            bool
	began, latest time.Time
	refused       int64
}

// quiet is how long nothing is refused at the end of an episode.
const quiet = 5 * time.Second

func (e *episode) update(now time.Time, refusing bool, delay time.Duration, refused int64, logger *slog.Logger) {
	switch {
	case refusing && !e.on:
		*e = episode{on: true, began: now, latest: now, refused: refused}
		logger.Warn("overloaded: requests are refused, because work waits too long for a CPU", "delay_ms", delay.Milliseconds())
	case refusing:
		e.latest = now
	case e.on && now.Sub(e.latest) >= quiet:
		e.on = false
		logger.Info("no longer overloaded", "refused", refused-e.refused, "duration_ms", e.latest.Sub(e.began).Milliseconds())
	}
}
