package limit

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// table is a fixed number of states by their keys, divided into sets that are locked one by one. A key belongs to one set. When
// that is full, the bucket that is nearest to being full again is evicted: mostly one that is full anyway. The keys of a flood
// therefore evict each other, and not the busy key whose bucket is empty. As in every set-associative table, a set can be full
// while others are not; then the bucket is lost that restricted its caller least. Keys are stored as hashes with seeds that nobody
// outside of the process knows, so that nobody can choose their set.
//
// A set takes 416 bytes, which are allocated for its first key. So a table grows with its keys, but a few of them take more than 27
// bytes each, as when it is full. A set is never replaced, but with the whole table.
type table struct {
	sets []atomic.Pointer[set]
	kind kind
	ways uint8
	// version is how many tables of the kind there were before it.
	version uint16
}

// setWays is the size of a set: small enough to be searched faster than a map, large enough that few sets overflow early (with half
// of the table in use, 4 in 1000).
const setWays = 16

type set struct {
	mu    sync.Mutex
	rank  uint64 // Different for each set of a Memory: the order in which they are locked.
	used  uint8  // Slots that are used, from 0 on.
	ways  uint8  // Slots that may be used.
	moved bool   // That there is another table, which has its slots.
	slots [setWays]slot
}

type slot struct {
	id    identity
	state int64 // A time, in nanoseconds since the start of the Memory: when the bucket is full again.
}

// identity is a key as 128 bits. Two of a million keys share one with a probability of 10^-27.
type identity struct{ hi, lo uint64 }

func newTable(maxKeys int, of kind) *table {
	ways := min(maxKeys, setWays)

	return &table{sets: make([]atomic.Pointer[set], maxKeys/ways), kind: of, ways: uint8(ways)}
}

func (t *table) set(id identity) *set {
	// The high word of the product maps a hash evenly onto the sets, without a division.
	index, _ := bits.Mul64(id.hi, uint64(len(t.sets)))
	if s := t.sets[index].Load(); s != nil {
		return s
	}

	return t.add(int(index))
}

// add returns the set at an index, which it allocates unless another goroutine has.
func (t *table) add(index int) *set {
	s := t.newSet(index)
	if t.sets[index].CompareAndSwap(nil, s) {
		return s
	}

	return t.sets[index].Load()
}

func (t *table) newSet(index int) *set {
	const kindShift, versionShift = 40, 48 // There are fewer sets, and fewer kinds.

	return &set{rank: uint64(t.version)<<versionShift | uint64(t.kind)<<kindShift | uint64(index), ways: t.ways}
}

// move puts all that there is into another table, which nobody else uses yet. Whoever comes for it afterwards finds that it has
// moved.
func (t *table) move(to *table) {
	for i := range t.sets {
		gone := t.newSet(i)
		gone.moved = true

		if !t.sets[i].CompareAndSwap(nil, gone) {
			t.sets[i].Load().move(to)
		}
	}
}

func (s *set) move(to *table) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, slot := range s.slots[:s.used] {
		to.set(slot.id).put(nil, slot.id, slot.state)
	}

	s.moved = true
}

func (t *table) len() int {
	total := 0

	for i := range t.sets {
		if s := t.sets[i].Load(); s != nil {
			total += s.len()
		}
	}

	return total
}

func (s *set) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return int(s.used)
}

// state of a key. Zero: there is none.
func (s *set) state(id identity) int64 {
	if found := s.find(id); found != nil {
		return found.state
	}

	return 0
}

// put stores the state of a key, in the slot where it was found, if it was.
func (s *set) put(found *slot, id identity, state int64) {
	if found == nil {
		found = s.freeSlot()
		found.id = id
	}

	found.state = state
}

func (s *set) find(id identity) *slot {
	for i := range s.used {
		if s.slots[i].id == id {
			return &s.slots[i]
		}
	}

	return nil
}

// freeSlot returns a free slot, or else the one whose bucket is, or will be, the first to be full.
func (s *set) freeSlot() *slot {
	if s.used < s.ways {
		s.used++
		return &s.slots[s.used-1]
	}

	first := &s.slots[0]
	for i := range s.used {
		if s.slots[i].state < first.state {
			first = &s.slots[i]
		}
	}

	return first
}
