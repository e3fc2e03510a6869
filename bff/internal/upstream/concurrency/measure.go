package concurrency

import "time"

// average is the average latency of calls of one kind, in seconds, weighted towards the latest.
type average struct {
	value float64
	count float64
}

// averaged is how many calls an average covers.
const averaged = 64

func (a *average) add(took float64) {
	a.count = min(a.count+1, averaged)
	a.value += (took - a.value) / a.count
}

// window sums up calls that were made under load.
type window struct {
	end            time.Time
	samples        int
	unloaded, took float64
}

// add counts a call that took so long, and would have taken so long under low load.
func (w *window) add(unloaded, took float64) {
	w.samples++
	w.unloaded += unloaded
	w.took += took
}

func (w *window) full(now time.Time) bool { return w.samples >= minSamples && now.After(w.end) }

// gradient is 1 if calls take about as long as under low load, and less the longer they take.
func (w *window) gradient() float64 {
	if w.took <= 0 {
		return 1
	}

	return min(max(tolerance*w.unloaded/w.took, minGradient), 1)
}

// A probe halves the limit for a moment, when there was no low load for long. It lasts until enough calls were done in it. While
// the limit still falls, the next one comes soon: each measures under less load than the one before.
const (
	probeEvery = 10 * time.Second
	probeSoon  = time.Second
	probeTime  = 2 * time.Second
	stillFalls = 0.9
)

// probe knows when the load was low, and since when a probe is running.
type probe struct {
	lastQuiet time.Time
	start     time.Time
	samples   int
	// limit is that at the end of the last one.
	limit float64
}

func (p *probe) running(now time.Time, limit float64) bool {
	if p.start.IsZero() {
		return false
	}

	if p.samples >= minSamples || now.Sub(p.start) > probeTime {
		*p = probe{lastQuiet: now, limit: limit}
		return false
	}

	return true
}

// request starts a probe if it is time for one.
func (p *probe) request(now time.Time, limit float64) {
	wait := probeEvery
	if limit < stillFalls*p.limit {
		wait = probeSoon
	}

	if p.start.IsZero() && now.Sub(p.lastQuiet) >= wait {
		p.start = now
	}
}

// done counts a call that began under low load.
func (p *probe) done(began, now time.Time) {
	switch {
	case p.start.IsZero():
		p.lastQuiet = now
	case began.After(p.start):
		p.samples++
	}
}
