package observe

import "sync"

// series caches the children of metrics by what their labels are made of, so that labels are formatted and hashed once per child
// and not per sample. The keys must come from a bounded set, as the labels do. It is safe for concurrent use once resolve, which
// finds or makes a child, is set.
type series[K comparable, V any] struct {
	resolve func(K) V

	mu    sync.RWMutex
	known map[K]V
}

func (s *series[K, V]) of(key K) V {
	s.mu.RLock()
	child, ok := s.known[key]
	s.mu.RUnlock()

	if ok {
		return child
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.known == nil {
		s.known = map[K]V{}
	}

	// Another goroutine may have stored it by now; it found the same.
	child = s.resolve(key)
	s.known[key] = child

	return child
}
