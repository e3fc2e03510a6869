package limit

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"time"
)

// Memory is a Store for one gateway, in a bounded amount of memory, which grows with the keys that are seen. No method blocks.
//
// The state of a bucket is its theoretical arrival time: the time at which it is full again (the generic cell rate algorithm). A
// bucket whose time has passed is full, like one that was never seen, so nobody gains if it is forgotten.
//
// There are five kinds, each with memory of its own: buckets that fill within ten seconds, ten minutes, ten hours or longer, and
// daily quotas. A kind that is not used takes no memory.
type Memory struct {
	setSeed, keySeed maphash.Seed
	start            time.Time
	tables           tables
}

// NewMemory returns a Memory of up to maxKeys buckets of each kind. A kind that is full takes 27 bytes a bucket: 27 MB for a
// million, and 135 MB if all five are.
func NewMemory(maxKeys int) *Memory {
	return &Memory{
		setSeed: maphash.MakeSeed(), keySeed: maphash.MakeSeed(), start: time.Now(),
		tables: tables{maxKeys: maxKeys},
	}
}

// Allow decides on a request with a single limit. It reads the clock while it holds the lock of the bucket: with a time from before
// the lock, a goroutine that had to wait would take the bucket for empty.
func (m *Memory) Allow(request Request, now func() time.Time) Decision {
	id := m.identify(request.Key)
	s := m.lockSet(request.Rate.kind(), id)

	defer s.mu.Unlock()

	state, found := int64(0), s.find(id)
	if found != nil {
		state = found.state
	}

	decision, next := m.decide(&request, state, now())
	if decision.Allowed {
		s.put(found, id, next)
	}

	return decision
}

// lockSet returns the set of a key, which it has locked.
func (m *Memory) lockSet(k kind, id identity) *set {
	for {
		s := m.tables.of(k).set(id)
		s.mu.Lock()

		if !s.moved {
			return s
		}

		s.mu.Unlock()
		m.tables.settle()
	}
}

// Resize changes how many buckets of each kind there may be. What was taken from them stays taken, unless there is no room.
func (m *Memory) Resize(maxKeys int) { m.tables.resize(maxKeys) }

// Take implements Store. It returns no errors.
func (m *Memory) Take(_ context.Context, requests []Request) ([]Decision, error) {
	return m.take(make([]Decision, len(requests)), requests), nil
}

// take fills the decisions, one for each request, and returns them.
func (m *Memory) take(decisions []Decision, requests []Request) []Decision {
	if len(requests) == 1 {
		decisions[0] = m.Allow(requests[0], time.Now)
	} else {
		m.takeAll(requests, decisions)
	}

	return decisions
}

// charge is the place of the state of a request, and the next state.
type charge struct {
	id   identity
	set  *set
	next int64
}

// inlineCapacity is for how many limits of a route there is room without an allocation.
const inlineCapacity = 4

func (m *Memory) takeAll(requests []Request, decisions []Decision) {
	var (
		inlineCharges [inlineCapacity]charge
		inlineSets    [inlineCapacity]*set
	)

	charges, sets := inlineCharges[:0], inlineSets[:0]

	for i := range requests {
		charges = append(charges, charge{id: m.identify(requests[i].Key)})
	}

	for {
		sets = sets[:0]

		for i := range charges {
			charges[i].set = m.tables.of(requests[i].Rate.kind()).set(charges[i].id)
			sets = append(sets, charges[i].set)
		}

		sets = lock(sets)
		if !slices.ContainsFunc(sets, func(s *set) bool { return s.moved }) {
			break
		}

		unlock(sets)
		m.tables.settle()
	}

	defer unlock(sets)

	now := time.Now()
	allowed := true

	for i := range requests {
		c := &charges[i]
		decisions[i], c.next = m.decide(&requests[i], c.set.state(c.id), now)
		allowed = allowed && decisions[i].Allowed
	}

	for i, c := range charges {
		switch {
		case allowed:
			c.set.put(c.set.find(c.id), c.id, c.next)
		case decisions[i].Allowed:
			// Nothing is taken from those that would have allowed it.
			probe := requests[i]
			probe.Cost = 0
			decisions[i], _ = m.decide(&probe, c.set.state(c.id), now)
		}
	}
}

// lock locks the sets, each once, in the same order for all callers. It returns those to unlock.
func lock(sets []*set) []*set {
	slices.SortFunc(sets, func(a, b *set) int { return cmp.Compare(a.rank, b.rank) })
	sets = slices.Compact(sets)

	for _, s := range sets {
		s.mu.Lock()
	}

	return sets
}

func unlock(sets []*set) {
	for _, s := range sets {
		s.mu.Unlock()
	}
}

// decide applies the algorithm. The state is zero if there is none.
func (m *Memory) decide(r *Request, state int64, now time.Time) (Decision, int64) {
	if !r.Rate.Daily {
		return r.Rate.bucket().take(state, m.nanos(now), r.Cost)
	}

	// Midnight is by the wall clock, which may be set while the gateway runs.
	unix := now.UnixNano()
	left := int64(Day) - unix%int64(Day)

	return quota(r.Rate.Size()).take(state, unix+left-m.start.UnixNano(), time.Duration(left), r.Cost)
}

// Len is how many keys are remembered. Some of their buckets may be full again.
func (m *Memory) Len() int { return m.tables.len() }

func (m *Memory) identify(key Key) identity {
	return identity{hi: maphash.Comparable(m.setSeed, key), lo: maphash.Comparable(m.keySeed, key)}
}

// nanos is the time since the start. Times with a monotonic reading, like those of time.Now, do not go backwards; others before the
// start count as the start.
func (m *Memory) nanos(now time.Time) int64 { return min(max(int64(now.Sub(m.start)), 0), maxSpan) }
