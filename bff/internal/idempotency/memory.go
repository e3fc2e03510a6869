package idempotency

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"
)

// What an entry takes beside its texts: itself, its places in the map and in two lists; and what a header takes.
const (
	entryBytes  = 512
	headerBytes = 64
	valueBytes  = 16
)

// Memory is a Store for one gateway. It is bounded: entries leave when their time is over, and before that, the oldest answers
// first, when there is no room. Claims never give way. It has no goroutine and needs no closing. No method blocks.
type Memory struct {
	start time.Time
	limit int64

	mu      sync.Mutex
	used    int64
	entries map[string]*entry
	// answers are the finished entries, the oldest first; answersUsed of used are theirs.
	answers     list.List
	answersUsed int64
	// due are the entries by the second, since the start, in which their time is over. Those before swept are gone.
	due   map[int64]*list.List
	swept int64
}

// entry is a key. Its elements are its places in answers, once it is finished, and in due.
type entry struct {
	claim    Claim
	finished bool
	answer   Answer
	expires  time.Time
	size     int64

	inAnswers, inDue *list.Element
}

// NewMemory returns a Memory of so many bytes: 64 MiB are for some 70,000 responses of a few hundred bytes.
func NewMemory(maxBytes int64) *Memory {
	return &Memory{start: time.Now(), limit: maxBytes, entries: map[string]*entry{}, due: map[int64]*list.List{}}
}

// Claim implements Store.
func (m *Memory) Claim(_ context.Context, claim Claim) (State, Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()
	m.sweep(now)

	known := m.find(claim.Key, now)

	switch {
	case known == nil:
		e := newEntry(claim, now.Add(claim.Lease))
		if !m.room(e.size) {
			return 0, Answer{}, ErrFull
		}

		m.put(e)

		return Claimed, Answer{}, nil
	case known.claim.Fingerprint != claim.Fingerprint:
		return Mismatch, Answer{}, nil
	case known.finished:
		return Done, known.answer, nil
	default:
		return InProgress, Answer{}, nil
	}
}

// Finish implements Store.
func (m *Memory) Finish(_ context.Context, claim Claim, answer Answer, ttl time.Duration) error {
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
	e.finished, e.answer = true, answer
	e.size += answerSize(answer)

	if !m.room(e.size) {
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

// find returns the entry of a key, unless its time is over.
func (m *Memory) find(key string, now time.Time) *entry {
	e := m.entries[key]
	if e == nil || now.Before(e.expires) {
		return e
	}

	m.remove(e)

	return nil
}

// room makes room for so many bytes, if it can.
func (m *Memory) room(size int64) bool {
	if m.used-m.answersUsed+size > m.limit {
		return false
	}

	for m.used+size > m.limit {
		m.remove(entryOf(m.answers.Front()))
	}

	return true
}

func (m *Memory) put(e *entry) {
	m.entries[e.claim.Key] = e
	m.used += e.size

	if e.finished {
		m.answersUsed += e.size
		e.inAnswers = m.answers.PushBack(e)
	}

	second := m.second(e.expires)

	bucket := m.due[second]
	if bucket == nil {
		bucket = list.New()
		m.due[second] = bucket
	}

	e.inDue = bucket.PushBack(e)
}

func (m *Memory) remove(e *entry) {
	delete(m.entries, e.claim.Key)
	m.used -= e.size

	if e.finished {
		m.answersUsed -= e.size
		m.answers.Remove(e.inAnswers)
	}

	second := m.second(e.expires)

	bucket := m.due[second]
	if bucket.Remove(e.inDue); bucket.Len() == 0 {
		delete(m.due, second)
	}
}

// sweep removes the entries whose second has passed. An entry is removed once, and a second looked at once; after a long pause it
// is cheaper to look at those that have entries.
func (m *Memory) sweep(now time.Time) {
	until := m.second(now)

	if until-m.swept > int64(len(m.due)) {
		for second := range m.due {
			if second < until {
				m.empty(second)
			}
		}
	} else {
		for second := m.swept; second < until; second++ {
			m.empty(second)
		}
	}

	m.swept = until
}

func (m *Memory) empty(second int64) {
	// The last removal takes the bucket away.
	for bucket := m.due[second]; bucket != nil && bucket.Len() > 0; {
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

// answerSize is what an answer adds to its claim. One that is Omitted adds nothing, so that it takes the place of a claim when
// there is no room.
func answerSize(a Answer) int64 { return headerSize(a.Header) + int64(cap(a.Body)) }

func headerSize(header http.Header) int64 {
	size := 0

	for name, values := range header {
		size += headerBytes + len(name)

		for _, value := range values {
			size += valueBytes + len(value)
		}
	}

	return int64(size)
}
