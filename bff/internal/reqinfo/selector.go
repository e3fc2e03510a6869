package reqinfo

import (
	"strings"
	"sync"
)

// Selector is a full method, "/user.v1.UserService/GetUser", as selectors of the configuration, the log and the metrics write it:
// "user.v1.UserService.GetUser".
func Selector(rpc string) string {
	return strings.Replace(strings.TrimPrefix(rpc, "/"), "/", ".", 1)
}

// Selectors remembers the selectors of methods, which must be of a bounded set. It is safe for concurrent use.
type Selectors struct {
	mu    sync.RWMutex
	known map[string]string
}

// Of returns the selector of a full method.
func (s *Selectors) Of(rpc string) string {
	s.mu.RLock()
	selector, ok := s.known[rpc]
	s.mu.RUnlock()

	if ok {
		return selector
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.known == nil {
		s.known = map[string]string{}
	}

	selector = Selector(rpc)
	s.known[rpc] = selector

	return selector
}
