package session

import (
	"context"
	"time"
)

const (
	// firstPause is how long the first pause between two attempts takes. Each is twice as long as the one before,
	// up to longestPause.
	firstPause   = 20 * time.Millisecond
	longestPause = 500 * time.Millisecond
)

// again calls do until it succeeds or the context has ended, and at least once. It returns its last error.
func again(ctx context.Context, do func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if err := do(); err == nil || !wait(ctx, pause) {
			return err
		}
	}
}

// wait waits, unless the context ends.
func wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}
