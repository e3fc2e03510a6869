package window

import "time"

// Window remembers totals for as long as its longest span. It is not safe for concurrent use.
type Window struct {
	longest time.Duration
	// samples are in the order of their times.
	samples []sample
}

type sample struct {
	at     time.Time
	totals Totals
}

// New returns an empty window.
func New(longest time.Duration) *Window { return &Window{longest: longest} }

// Add adds the totals of a time, which is later than all before, and forgets what is not needed any more.
func (w *Window) Add(at time.Time, totals Totals) {
	w.samples = append(w.samples, sample{at, totals})

	// One that is older than the longest span is needed: the newest of those.
	old := 0
	for old+1 < len(w.samples) && at.Sub(w.samples[old+1].at) >= w.longest {
		old++
	}

	clear(w.samples[:old])
	w.samples = w.samples[old:]
}

// Last returns what has happened during the last span of time. If the window is younger, it is what has happened since its
// beginning; without two samples, nothing has.
func (w *Window) Last(span time.Duration) Span {
	if len(w.samples) == 0 {
		return Span{}
	}

	newest := w.samples[len(w.samples)-1]
	oldest := w.samples[0]

	for _, s := range w.samples {
		if newest.at.Sub(s.at) < span {
			break
		}

		oldest = s
	}

	return Span{before: oldest.totals, after: newest.totals, seconds: newest.at.Sub(oldest.at).Seconds()}
}
