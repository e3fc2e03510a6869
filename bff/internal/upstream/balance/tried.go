package balance

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// tried are the addresses at which attempts at a call were made. It is safe for concurrent use.
type tried struct {
	mu      sync.Mutex
	members []*member
	// made is how many attempts went anywhere, and last where the last of them went.
	made int
	last *member
	// room is for the first of them.
	room [3]*member
}

// add adds the member, and reports whether it is new.
func (t *tried) add(m *member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	if slices.Contains(t.members, m) {
		return false
	}

	if t.members == nil {
		t.members = t.room[:0]
	}

	t.members = append(t.members, m)

	return true
}

func (t *tried) has(m *member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	return slices.Contains(t.members, m)
}

// choose counts an attempt at the member.
func (t *tried) choose(m *member) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.made++
	t.last = m
}

// untried returns a subchannel of another member for an attempt, by chance, or nil if calls can go to no other.
func (w *wrapper) untried(t *tried) *subConn {
	w.mu.Lock()
	defer w.mu.Unlock()

	var (
		chosen *subConn
		seen   int
	)

	for sc := range w.subConns {
		if !sc.healthy() || !sc.member.listed || sc.member.excluded() || t.has(sc.member) {
			continue
		}

		// Each of them is as probable (reservoir sampling).
		if seen++; rand.IntN(seen) == 0 { //nolint:gosec // Not a secret.
			chosen = sc
		}
	}

	return chosen
}
