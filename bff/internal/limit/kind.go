package limit

import (
	"sync"
	"sync/atomic"
	"time"
)

// kind is a class of states with a table of its own: quotas, and buckets that fill in times of the same order. In a shared table,
// buckets that fill slowly would push out those that fill fast, which are always full sooner: a caller with a limit of 50 requests
// a second would have a full bucket as soon as enough other callers use a route with a limit per hour.
type kind int

const (
	quotas kind = iota
	seconds10
	minutes10
	hours10
	longer
	kinds
)

// kind of a rate. The bounds are between the usual spans of limits, per second, minute, hour or day, and far from them: spans
// include bursts, and are rounded.
func (r Rate) kind() kind {
	if r.Daily {
		return quotas
	}

	const few = 10

	// Floats need no division and do not overflow.
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

// resize makes tables of another size, with what is in those that there are. Of a smaller one it evicts buckets as usual.
func (t *tables) resize(maxKeys int) {
	t.making.Lock()
	defer t.making.Unlock()

	if maxKeys == t.maxKeys {
		return
	}

	t.maxKeys = maxKeys

	for k := range t.made {
		old := t.made[k].Load()
		if old == nil {
			continue
		}

		next := newTable(maxKeys, kind(k))
		next.version = old.version + 1
		old.move(next)
		t.made[k].Store(next)
	}
}

// settle waits for the end of a resize.
func (t *tables) settle() {
	t.making.Lock()
	defer t.making.Unlock()
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
