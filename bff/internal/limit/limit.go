// Package limit says no to callers that ask too often. A Limiter holds token buckets in a bounded amount of memory; PerClient and
// Route put it in front of handlers and tell clients where they stand.
//
// It counts the requests of one process. It does not queue or delay anything, it does not protect backends from load that nobody
// caused alone (upstream's in-flight limits do), and it does not know which limits a route has (policy does).
package limit

import (
	"hash/maphash"
	"math/bits"
	"net/netip"
	"sync"
	"time"
)

// DefaultMaxKeys is how many buckets a Limiter remembers unless told otherwise. They take 5 MB.
const DefaultMaxKeys = 200_000

// Key names a bucket. Two keys that are equal share it.
type Key struct {
	// Limit is the limit that the bucket belongs to.
	Limit string
	// Issuer and Subject are the principal that it belongs to, if it does.
	Issuer, Subject string
	// Client is the address that it belongs to, if it does. It has no zone.
	Client netip.Addr
}

// Decision is the answer to one request.
type Decision struct {
	// Allowed tells whether the request may go on. If not, it has cost nothing.
	Allowed bool
	// Limit is the size of the bucket, Remaining what is left in it.
	Limit, Remaining int64
	// ResetAfter is the time until the bucket is full, if nothing is taken from it.
	ResetAfter time.Duration
	// RetryAfter is the time until a request would be allowed; zero if this one was.
	RetryAfter time.Duration
}

// Limiter is a set of token buckets, safe for concurrent use. It has no goroutine and needs no closing.
//
// Of a bucket only its theoretical arrival time is kept: the time at which it is full again (the generic cell rate algorithm). A
// bucket whose time has passed is full, just as one that was never seen, so it can be forgotten without anyone gaining by it.
//
// Memory is a fixed table, cut into sets that are locked one by one. A key has its place in one set. When that set is taken, the
// key that is nearest to being full again gives way: mostly one that is full anyway. The keys of a flood therefore push out each
// other, and not the busy key whose bucket is empty. As in every set-associative table a set can be taken while others have room;
// what is lost then is the bucket of that set that had least to say. Keys are kept as hashes with seeds that nobody outside of the
// process knows, so that nobody can choose their set.
type Limiter struct {
	setSeed, keySeed maphash.Seed
	start            time.Time
	ways             int
	sets             []set
}

// setWays is the size of a set: small enough to be searched faster than a map, large enough that few sets overflow early (with
// half of the table taken, 4 in 1000).
const setWays = 16

type set struct {
	mu    sync.Mutex
	used  int // Slots from 0 on.
	slots [setWays]slot
}

type slot struct {
	id  identity
	tat int64 // The theoretical arrival time, in nanoseconds since the start of the Limiter.
}

// identity is a key as 128 bits. Two of a million keys share one with a probability of 10^-27.
type identity struct{ hi, lo uint64 }

// New returns a Limiter that remembers up to maxKeys buckets, at 25 bytes each. Zero: DefaultMaxKeys.
func New(maxKeys int) *Limiter {
	if maxKeys <= 0 {
		maxKeys = DefaultMaxKeys
	}

	ways := min(maxKeys, setWays)

	return &Limiter{
		setSeed: maphash.MakeSeed(), keySeed: maphash.MakeSeed(), start: time.Now(),
		ways: ways, sets: make([]set, maxKeys/ways),
	}
}

// Allow takes one token from the bucket, if it has one. A key must always come with the same rate.
func (l *Limiter) Allow(key Key, rate Rate, now time.Time) Decision {
	id := l.identify(key)
	b := rate.bucket()
	at := l.nanos(now)

	s := l.set(id)
	s.mu.Lock()
	defer s.mu.Unlock()

	tat, found := at, s.find(id)
	if found != nil {
		tat = found.tat
	}

	decision, next := b.take(tat, at)
	if !decision.Allowed {
		return decision
	}

	if found == nil {
		found = s.place(l.ways)
		found.id = id
	}

	found.tat = next

	return decision
}

// Len is how many keys are remembered. Some of their buckets may be full again.
func (l *Limiter) Len() int {
	total := 0

	for i := range l.sets {
		s := &l.sets[i]
		s.mu.Lock()
		total += s.used
		s.mu.Unlock()
	}

	return total
}

// refund gives back a token that Allow took.
func (l *Limiter) refund(key Key, rate Rate) {
	id := l.identify(key)

	s := l.set(id)
	s.mu.Lock()
	defer s.mu.Unlock()

	if found := s.find(id); found != nil {
		found.tat -= rate.bucket().interval
	}
}

func (l *Limiter) identify(key Key) identity {
	return identity{hi: maphash.Comparable(l.setSeed, key), lo: maphash.Comparable(l.keySeed, key)}
}

func (l *Limiter) set(id identity) *set {
	// The high word of the product maps a hash evenly onto the sets, without a division.
	index, _ := bits.Mul64(id.hi, uint64(len(l.sets)))

	return &l.sets[index]
}

// nanos is the time since the start. Times that bear a monotonic reading, as time.Now's do, do not go backwards; of others, those
// before the start count as the start.
func (l *Limiter) nanos(now time.Time) int64 { return min(max(int64(now.Sub(l.start)), 0), maxSpan) }

func (s *set) find(id identity) *slot {
	for i := range s.used {
		if s.slots[i].id == id {
			return &s.slots[i]
		}
	}

	return nil
}

// place returns a free slot or else the one whose bucket is, or will be, the first to be full.
func (s *set) place(ways int) *slot {
	if s.used < ways {
		s.used++

		return &s.slots[s.used-1]
	}

	first := &s.slots[0]
	for i := 1; i < s.used; i++ {
		if s.slots[i].tat < first.tat {
			first = &s.slots[i]
		}
	}

	return first
}
