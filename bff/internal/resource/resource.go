// Package resource shares what is expensive to make, or has a state that must not be lost, among the generations of a gateway:
// connections, breakers, keys of issuers, the memory of rate limits. A resource has a kind and a key, which is the part of the
// configuration that it depends on. The next generation gets the same instance if its key is the same, and the last one that uses
// it closes it.
//
// It knows nothing of what it shares.
package resource

import (
	"errors"
	"slices"
	"sync"
)

// Set has the resources that are in use. It is safe for concurrent use.
type Set struct {
	mu      sync.Mutex
	entries map[id]*entry
}

type id struct{ kind, key string }

// entry is a resource. It has a lease of its own, on what it is made of.
type entry struct {
	id    id
	value any
	lease *Lease
	// users is how many times it is leased. The mutex of the set guards it.
	users int
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{entries: map[id]*entry{}} }

// Len is how many resources are in use.
func (s *Set) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return len(s.entries)
}

// Lease returns one that has nothing yet. Its user must release it.
func (s *Set) Lease() *Lease { return &Lease{set: s} }

// Lease is what one user of a set holds. Only Release is safe for concurrent use, and only one lease of a set may take at a time;
// others may be released meanwhile.
type Lease struct {
	set *Set
	// parent is that of the lease whose Take makes the resource that holds this one. Nil: there is none.
	parent *Lease
	// closers give back what was taken, in this order, and end what belongs to this lease alone.
	closers  []func() error
	atCommit []func()

	once sync.Once
	err  error
}

// Take returns the resource of a kind with the key, which create makes unless it is in use. What create takes from its own lease,
// and puts at its end, lasts as long as the resource. An error of create is returned, and nothing is taken.
//
// All resources of a kind have the same type.
func Take[T any](l *Lease, kind, key string, create func(own *Lease) (T, error)) (T, error) {
	e := l.set.find(id{kind, key})

	if e == nil {
		e = &entry{id: id{kind, key}, lease: &Lease{set: l.set, parent: l}, users: 1}

		made, err := create(e.lease)
		if err != nil {
			var none T
			return none, errors.Join(err, e.lease.Release())
		}

		e.value = made
		l.set.add(e)
	}

	l.AtEnd(func() error { return l.set.giveBack(e) })

	value, _ := e.value.(T)

	return value, nil
}

// AtEnd adds what is to be done when the lease is released, before what was added earlier.
func (l *Lease) AtEnd(closer func() error) { l.closers = append(l.closers, closer) }

// AtCommit adds what is to be done if the user of the lease comes into effect: what others would notice. What a resource that is
// being made adds is done when its first user does.
func (l *Lease) AtCommit(effect func()) {
	if l.parent != nil {
		l.parent.AtCommit(effect)
		return
	}

	l.atCommit = append(l.atCommit, effect)
}

// Commit does what AtCommit has added, once.
func (l *Lease) Commit() {
	for _, effect := range l.atCommit {
		effect()
	}

	l.atCommit = nil
}

// Release gives everything back, the latest first, and closes what nobody else uses. Further calls return the same error.
func (l *Lease) Release() error {
	l.once.Do(func() {
		var faults []error
		for _, closer := range slices.Backward(l.closers) {
			faults = append(faults, closer())
		}

		l.err = errors.Join(faults...)
	})

	return l.err
}

// find returns the resource with one more user; nil if it is not in use.
func (s *Set) find(wanted id) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()

	e := s.entries[wanted]
	if e != nil {
		e.users++
	}

	return e
}

func (s *Set) add(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.entries[e.id] = e
}

// giveBack closes the resource if this was its last user. Closing may take a while, so no lock is held.
func (s *Set) giveBack(e *entry) error {
	s.mu.Lock()

	e.users--
	last := e.users == 0

	if last {
		delete(s.entries, e.id)
	}

	s.mu.Unlock()

	if !last {
		return nil
	}

	return e.lease.Release()
}
