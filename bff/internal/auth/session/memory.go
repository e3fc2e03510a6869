package session

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Memory is a Store of one gateway. When it is full, the session goes that was not used for the longest time. Two sessions with
// different idle timeouts may make it keep one longer than it lasts, not shorter.
type Memory struct {
	mu       sync.Mutex
	sessions *simplelru.LRU[string, *kept]
	// labels are the keys of the sessions that have a label.
	labels map[string]map[string]struct{}
	claims *simplelru.LRU[string, claim]
	// ended is when the sessions with a label were ended.
	ended *simplelru.LRU[string, time.Time]
}

// kept is a session in memory.
type kept struct {
	Stored

	labels []string
}

type claim struct {
	owner string
	until time.Time
}

const (
	// maxClaims bounds what logins that fail leave behind, at about 200 bytes each. The oldest go first; what they guard, the
	// provider guards as well.
	maxClaims = 100_000
	// maxEnded bounds what logouts leave behind.
	maxEnded = 100_000
)

// NewMemory returns a Memory with room for so many sessions.
func NewMemory(size int) (*Memory, error) {
	m := &Memory{labels: map[string]map[string]struct{}{}}

	var err error
	if m.sessions, err = simplelru.NewLRU(size, m.forget); err != nil {
		return nil, fmt.Errorf("sessions in memory: %w", err)
	}

	if m.claims, err = simplelru.NewLRU[string, claim](maxClaims, nil); err != nil {
		return nil, fmt.Errorf("sessions in memory: %w", err)
	}

	if m.ended, err = simplelru.NewLRU[string, time.Time](maxEnded, nil); err != nil {
		return nil, fmt.Errorf("sessions in memory: %w", err)
	}

	return m, nil
}

// Resize changes how many sessions there is room for.
func (m *Memory) Resize(size int) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.sessions.Resize(size)
}

// forget removes the labels of a session that is removed. The mutex is held.
func (m *Memory) forget(key string, s *kept) {
	for _, label := range s.labels {
		delete(m.labels[label], key)

		if len(m.labels[label]) == 0 {
			delete(m.labels, label)
		}
	}
}

// removeOver removes the sessions that are over, as far as they are the oldest.
func (m *Memory) removeOver(now time.Time) {
	for {
		_, oldest, ok := m.sessions.GetOldest()
		if !ok || now.Before(oldest.IdleUntil) {
			return
		}

		m.sessions.RemoveOldest()
	}
}

// find returns a session that is not over.
func (m *Memory) find(key string, now time.Time) (*kept, bool) {
	s, ok := m.sessions.Peek(key)
	if ok && !now.Before(s.IdleUntil) {
		m.sessions.Remove(key)

		return nil, false
	}

	return s, ok
}

// Create implements Store.
func (m *Memory) Create(_ context.Context, s Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()
	m.removeOver(now)

	for _, label := range s.Labels {
		if ended, ok := m.ended.Peek(label); ok && ended.After(now.Add(-s.Age)) {
			return ErrEnded
		}
	}

	m.sessions.Add(s.Key, &kept{
		Stored: Stored{Data: s.Data, Version: 1, IdleUntil: now.Add(min(s.Idle, s.Lifetime)), Until: now.Add(s.Lifetime)},
		labels: s.Labels,
	})

	for _, label := range s.Labels {
		if m.labels[label] == nil {
			m.labels[label] = map[string]struct{}{}
		}

		m.labels[label][s.Key] = struct{}{}
	}

	if len(s.Labels) > 0 && len(m.labels[s.Labels[0]]) > PerSubject {
		m.sessions.Remove(m.oldest(s.Labels[0]))
	}

	return nil
}

// oldest returns the key of the session with a label that ends first.
func (m *Memory) oldest(label string) string {
	var (
		oldest string
		until  time.Time
	)

	for key := range m.labels[label] {
		if s, ok := m.sessions.Peek(key); ok && (oldest == "" || s.Until.Before(until)) {
			oldest, until = key, s.Until
		}
	}

	return oldest
}

// Load implements Store.
func (m *Memory) Load(_ context.Context, key string, idle time.Duration) (Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()

	s, ok := m.find(key, now)
	if !ok {
		return Stored{}, ErrNone
	}

	if idle > 0 {
		m.sessions.Get(key) // It is the last that was used.

		s.IdleUntil = now.Add(idle)
		if s.Until.Before(s.IdleUntil) {
			s.IdleUntil = s.Until
		}
	}

	return s.Stored, nil
}

// Replace implements Store.
func (m *Memory) Replace(_ context.Context, key string, version int64, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	s, ok := m.find(key, time.Now())
	if !ok || s.Version != version {
		return ErrNone
	}

	s.Data = data
	s.Version++

	return nil
}

// Delete implements Store.
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.sessions.Remove(key)

	return nil
}

// DeleteAll implements Store.
func (m *Memory) DeleteAll(_ context.Context, label string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	now, deleted := time.Now(), 0

	m.ended.Add(label, now)

	for {
		oldest, at, ok := m.ended.GetOldest()
		if !ok || now.Before(at.Add(EndedLife)) {
			break
		}

		m.ended.Remove(oldest)
	}

	for key := range maps.Clone(m.labels[label]) {
		if _, ok := m.find(key, now); ok {
			m.sessions.Remove(key)

			deleted++
		}
	}

	return deleted, nil
}

// Claim implements Store.
func (m *Memory) Claim(_ context.Context, name, owner string, lease time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()

	if held, ok := m.claims.Peek(name); ok && now.Before(held.until) && held.owner != owner {
		return false, nil
	}

	m.claims.Add(name, claim{owner: owner, until: now.Add(lease)})

	// The oldest that are over go, also those that nobody asks for again.
	for {
		oldest, held, ok := m.claims.GetOldest()
		if !ok || now.Before(held.until) {
			return true, nil
		}

		m.claims.Remove(oldest)
	}
}

// Release implements Store.
func (m *Memory) Release(_ context.Context, name, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	if held, ok := m.claims.Peek(name); ok && held.owner == owner {
		m.claims.Remove(name)
	}

	return nil
}
