package concurrency

import "time"

// average follows what calls of one kind take, in seconds, the latest of them most.
type average struct {
	value float64
	count float64
}

// memory is how many calls an average goes back.
const memory = 64

func (a *average) add(took float64) {
	a.count = min(a.count+1, memory)
	a.value += (took - a.value) / a.count
}

// window sums up calls that were made while there was much to do.
type window struct {
	end         time.Time
	samples     int
	alone, took float64
}

// add counts a call that took so long, and would have taken so long alone.
func (w *window) add(alone, took float64) {
	w.samples++
	w.alone += alone
	w.took += took
}

func (w *window) full(now time.Time) bool { return w.samples >= minSamples && now.After(w.end) }

// gradient is 1 if calls take about what they take alone, and the less the longer they take.
func (w *window) gradient() float64 {
	if w.took <= 0 {
		return 1
	}

	return min(max(tolerance*w.alone/w.took, sharpest), 1)
}

// A probe is a moment with half the limit, when there has been no calm one for long. It lasts until enough calls were answered in
// it. While the limit still falls, the next one comes soon: each measures with less to do than the one before.
const (
	probeEvery = 10 * time.Second
	probeSoon  = time.Second
	probeTime  = 2 * time.Second
	stillFalls = 0.9
)

// probe is when there was little to do, and since when the limit sees to it.
type probe struct {
	calm    time.Time
	start   time.Time
	samples int
	// limit at the end of the last one.
	limit float64
}

// running reports whether there is one.
func (p *probe) running(now time.Time, limit float64) bool {
	if p.start.IsZero() {
		return false
	}

	if p.samples >= minSamples || now.Sub(p.start) > probeTime {
		*p = probe{calm: now, limit: limit}

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

	if p.start.IsZero() && now.Sub(p.calm) >= wait {
		p.start = now
	}
}

// answered counts a call that began when there was little to do.
func (p *probe) answered(began, now time.Time) {
	switch {
	case p.start.IsZero():
		p.calm = now
	case began.After(p.start):
		p.samples++
	}
}
