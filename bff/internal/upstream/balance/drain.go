package balance

import (
	"errors"
	"maps"
	"sync"
)

// Why an address cannot be drained.
var (
	// ErrNoConnection: the addresses are not known, as there is no connection.
	ErrNoConnection = errors.New("its addresses are not known, as there is no connection yet")
	// ErrNoAddress: the backend has no such address.
	ErrNoAddress = errors.New("there is no such address")
	// ErrLastAddress: all others are drained already.
	ErrLastAddress = errors.New("all its other addresses are drained")
)

// Drain keeps new calls away from an address, even if no other one can be reached, or ends that. Calls that have begun go on. It
// lasts as long as the address is in use; one that the resolver lists again later is not drained. The last address that is not
// drained cannot be.
func (g *Group) Drain(address string, drained bool) error {
	w := g.current.Load()
	if w == nil {
		return ErrNoConnection
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	m, known := w.members[address]

	switch {
	case !known || !m.listed:
		return ErrNoAddress
	case drained && !w.anyOther(m):
		return ErrLastAddress
	}

	g.drained.set(address, drained)
	m.drained = drained
	m.markPending()
	w.wake()

	return nil
}

// anyOther reports whether there is another address that is not drained. The caller holds the lock.
func (w *wrapper) anyOther(than *member) bool {
	for _, m := range w.members {
		if m != than && m.listed && !m.drained {
			return true
		}
	}

	return false
}

// addressSet is a set of addresses. It is safe for concurrent use.
type addressSet struct {
	mu  sync.Mutex
	all map[string]struct{}
}

func (s *addressSet) has(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	_, has := s.all[address]

	return has
}

func (s *addressSet) set(address string, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if !is {
		delete(s.all, address)
		return
	}

	if s.all == nil {
		s.all = map[string]struct{}{}
	}

	s.all[address] = struct{}{}
}

// retain removes the others.
func (s *addressSet) retain(wanted func(address string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	maps.DeleteFunc(s.all, func(address string, _ struct{}) bool { return !wanted(address) })
}
