package admin

import (
	"sync"
	"time"
)

// Of wrong credentials, maxFailures get a response of their own and a line in the log at once, and one more each failureInterval.
const (
	maxFailures     = 10
	failureInterval = 5 * time.Second
)

// failures is a bucket of wrong credentials. It is safe for concurrent use.
type failures struct {
	mu sync.Mutex
	// emptyAt is when the bucket is empty again.
	emptyAt time.Time
}

// add counts one. It returns how long it takes until there is room for one; zero: there is now.
func (f *failures) add(now time.Time) (wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.emptyAt.Before(now) {
		f.emptyAt = now
	}

	after := f.emptyAt.Add(failureInterval)
	if over := after.Sub(now) - maxFailures*failureInterval; over > 0 {
		return over
	}

	f.emptyAt = after

	return 0
}
