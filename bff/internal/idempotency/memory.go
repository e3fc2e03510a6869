package idempotency

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/portico-gateway/portico/bff/internal/response"
)

// entryBytes is what an entry takes without its texts: itself, its places in the map and in two lists.
const entryBytes = 512

// Memory is a Store for one gateway. It is bounded: entries are removed when they expire, and before that, the oldest responses
// first, when there is no room. Claims are never evicted. It has no goroutine and needs no closing. No method blocks.
type Memory struct {
	start time.Time
	limit int64

	mu      sync.Mutex
	used    int64
	entries map[string]*entry
	// finished are the entries with a response, the oldest first; finishedUsed of used are theirs.
	finished     list.List
	finishedUsed int64
	// expiring are the entries by the second, since the start, in which they expire. Those before swept are gone.
	expiring map[int64]*list.List
	swept    int64
}

// entry is a key. Its elements are its places in Memory.finished, once it is finished, and in Memory.expiring.
type entry struct {
	claim    Claim
	finished bool
	response Response
	expires  time.Time
	size     int64

	inFinished, inExpiring *list.Element
}

// NewMemory returns a Memory of maxBytes: 64 MiB are enough for some 70,000 responses of a few hundred bytes.
func NewMemory(maxBytes int64) *Memory {
	return &Memory{start: time.Now(), limit: maxBytes, entries: map[string]*entry{}, expiring: map[int64]*list.List{}}
}

// Resize changes how many bytes there may be. The oldest responses go first, if there are more.
func (m *Memory) Resize(maxBytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.limit = maxBytes

	for m.used > m.limit && m.finished.Len() > 0 {
		m.remove(entryOf(m.finished.Front()))
	}
}

// Claim implements Store.
func (m *Memory) Claim(_ context.Context, claim Claim) (State, Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()
	m.sweep(now)

	known := m.find(claim.Key, now)

	switch {
	case known == nil:
		e := newEntry(claim, now.Add(claim.Lease))
		if !m.makeRoom(e.size) {
			return 0, Response{}, ErrFull
		}

		m.put(e)

		return Claimed, Response{}, nil
	case known.claim.Fingerprint != claim.Fingerprint:
		return Mismatch, Response{}, nil
	case known.finished:
		return Done, known.response, nil
	default:
		return InProgress, Response{}, nil
	}
}

// Finish implements Store.
func (m *Memory) Finish(_ context.Context, claim Claim, res Response, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()
	m.sweep(now)

	held := m.find(claim.Key, now)
	if held != nil {
		if held.claim.Owner != claim.Owner {
			return ErrLost
		}

		m.remove(held)
	}

	e := newEntry(claim, now.Add(ttl))
	e.finished, e.response = true, res
	e.size += responseSize(res)

	if !m.makeRoom(e.size) {
		if held != nil {
			m.put(held)
		}

		return ErrFull
	}

	m.put(e)

	return nil
}

// Release implements Store.
func (m *Memory) Release(_ context.Context, claim Claim) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()
	m.sweep(now)

	if held := m.find(claim.Key, now); held != nil && held.claim.Owner == claim.Owner && !held.finished {
		m.remove(held)
	}

	return nil
}

// find returns the entry of a key, unless it has expired.
func (m *Memory) find(key string, now time.Time) *entry {
	e := m.entries[key]
	if e == nil || now.Before(e.expires) {
		return e
	}

	m.remove(e)

	return nil
}

// makeRoom evicts responses until there is room for so many bytes, if that is possible.
func (m *Memory) makeRoom(size int64) bool {
	if m.used-m.finishedUsed+size > m.limit {
		return false
	}

	for m.used+size > m.limit {
		m.remove(entryOf(m.finished.Front()))
	}

	return true
}

func (m *Memory) put(e *entry) {
	m.entries[e.claim.Key] = e
	m.used += e.size

	if e.finished {
		m.finishedUsed += e.size
		e.inFinished = m.finished.PushBack(e)
	}

	second := m.second(e.expires)

	bucket := m.expiring[second]
	if bucket == nil {
		bucket = list.New()
		m.expiring[second] = bucket
	}

	e.inExpiring = bucket.PushBack(e)
}

func (m *Memory) remove(e *entry) {
	delete(m.entries, e.claim.Key)
	m.used -= e.size

	if e.finished {
		m.finishedUsed -= e.size
		m.finished.Remove(e.inFinished)
	}

	second := m.second(e.expires)

	bucket := m.expiring[second]
	if bucket.Remove(e.inExpiring); bucket.Len() == 0 {
		delete(m.expiring, second)
	}
}

// sweep removes the entries whose second has passed. It looks at each second once, or, after a long pause, at those with entries,
// which is cheaper.
func (m *Memory) sweep(now time.Time) {
	until := m.second(now)

	if until-m.swept > int64(len(m.expiring)) {
		for second := range m.expiring {
			if second < until {
				m.removeAll(second)
			}
		}
	} else {
		for second := m.swept; second < until; second++ {
			m.removeAll(second)
		}
	}

	m.swept = until
}

func (m *Memory) removeAll(second int64) {
	// The last removal removes the bucket.
	for bucket := m.expiring[second]; bucket != nil && bucket.Len() > 0; {
		m.remove(entryOf(bucket.Front()))
	}
}

func (m *Memory) second(t time.Time) int64 { return int64(t.Sub(m.start) / time.Second) }

func entryOf(element *list.Element) *entry {
	e, _ := element.Value.(*entry) // The lists hold nothing else.
	return e
}

func newEntry(claim Claim, expires time.Time) *entry {
	size := entryBytes + len(claim.Key) + len(claim.Fingerprint) + len(claim.Owner)
	return &entry{claim: claim, expires: expires, size: int64(size)}
}

// responseSize is what a response adds to its claim. One that is Omitted adds nothing, so that it can replace the claim when there
// is no room.
func responseSize(res Response) int64 { return response.HeaderSize(res.Header) + int64(cap(res.Body)) }
