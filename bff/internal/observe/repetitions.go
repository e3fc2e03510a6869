package observe

import (
	"strings"
	"sync"
	"time"
)

// How often the same line is written, and how many lines are remembered.
const (
	repeatInterval = time.Minute
	maxRepetitions = 100
)

// repetitions remembers which lines were written lately. Lines are the same if they differ only in numbers, as of channels and
// ports. It is safe for concurrent use.
type repetitions struct {
	mu    sync.Mutex
	lines map[string]*repetition
}

type repetition struct {
	written time.Time
	omitted int
}

// count returns whether a line is to be written, and how many like it were left out since the last one.
func (r *repetitions) count(line string, now time.Time) (omitted int, due bool) {
	key := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}

		return c
	}, line)

	r.mu.Lock()
	defer r.mu.Unlock()

	known, ok := r.lines[key]
	if !ok {
		// There are few kinds of lines. If there are many, some are written more often.
		if r.lines == nil || len(r.lines) == maxRepetitions {
			r.lines = map[string]*repetition{}
		}

		r.lines[key] = &repetition{written: now}

		return 0, true
	}

	if now.Sub(known.written) < repeatInterval {
		known.omitted++
		return 0, false
	}

	omitted = known.omitted
	known.written, known.omitted = now, 0

	return omitted, true
}
