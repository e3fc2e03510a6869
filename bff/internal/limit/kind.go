package limit

import (
	"sync"
	"sync/atomic"
	"time"
)

// kind is what a Memory keeps apart: quotas, and buckets that fill in times of the same order. Each kind has a table of its own. In
// a shared one those that fill slowly would push out those that fill fast, which are always full sooner: anyone who is to get 50
// requests a second would have all of them again when enough other callers have asked once for something that has a limit per hour.
type kind int

const (
	quotas kind = iota
	seconds10
	minutes10
	hours10
	longer
	kinds
)

// kind of a rate. The bounds lie between the spans that limits usually have, per second, minute, hour or day, and far from them:
// spans have bursts in them, and are rounded.
func (r Rate) kind() kind {
	if r.Daily {
		return quotas
	}

	const few = 10

	// As floats they need no division and do not overflow.
	filled, in := float64(r.Size())*float64(r.Per), float64(max(r.Requests, 1))

	switch {
	case filled <= in*float64(few*time.Second):
		return seconds10
	case filled <= in*float64(few*time.Minute):
		return minutes10
	case filled <= in*float64(few*time.Hour):
		return hours10
	default:
		return longer
	}
}

// tables are those of a Memory. One is made when the first of its kind is used.
type tables struct {
	maxKeys int
	made    [kinds]atomic.Pointer[table]
	// making lets one caller make a table while others wait for it.
	making sync.Mutex
}

func (t *tables) of(k kind) *table {
	if made := t.made[k].Load(); made != nil {
		return made
	}

	t.making.Lock()
	defer t.making.Unlock()

	if t.made[k].Load() == nil {
		t.made[k].Store(newTable(t.maxKeys, k))
	}

	return t.made[k].Load()
}

func (t *tables) len() int {
	total := 0

	for k := range t.made {
		if made := t.made[k].Load(); made != nil {
			total += made.len()
		}
	}

	return total
}
