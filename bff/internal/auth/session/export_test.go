package session

import "time"

// Len is how many sessions there are.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.removeOver(time.Now())

	return m.sessions.Len()
}
