package redis

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// checkInterval is how often a Redis that serves is looked at. Another one may have taken its place.
	checkInterval = time.Minute
	// settleTimes as long as the breaker stays open must be over without a failure before Redis is said to serve again.
	settleTimes = 5
	// replyInterval is the time between two lines about error replies that are no outage.
	replyInterval = time.Minute
	// safePolicy is the maxmemory-policy with which Redis throws nothing away that has not expired.
	safePolicy = "noeviction"
)

// health is whether Redis serves, as the log says it: one line when it stops and why, one more for each further reason, and one
// when it serves again. It is safe for concurrent use. Nothing is logged under its lock, which requests take.
type health struct {
	logger *slog.Logger
	settle time.Duration
	// troubled wakes who looks whether Redis serves again.
	troubled chan struct{}

	mu sync.Mutex
	// reasons are those that were logged since Redis served.
	reasons map[string]bool
	failed  time.Time
	replied time.Time
}

func newHealth(logger *slog.Logger, openFor time.Duration) *health {
	return &health{logger: logger, settle: settleTimes * openFor, troubled: make(chan struct{}, 1), reasons: map[string]bool{}}
}

// fail notes that Redis does not serve.
func (h *health) fail(reason string, err error) {
	if !h.noteFailure(reason) {
		return
	}

	h.logger.Warn("redis is unavailable", "reason", reason, "error", err)

	select {
	case h.troubled <- struct{}{}:
	default:
	}
}

// noteFailure reports whether the reason is a new one.
func (h *health) noteFailure(reason string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.failed = time.Now()
	known := h.reasons[reason]
	h.reasons[reason] = true

	return !known
}

// reply notes an error reply that is no outage.
func (h *health) reply(err error) {
	if h.noteReply() {
		h.logger.Warn("redis replied with an error", "error", err)
	}
}

// noteReply reports whether it is time for a line.
func (h *health) noteReply() bool {
	h.mu.Lock()
	defer h.mu.Unlock()

	now := time.Now()
	if !h.replied.IsZero() && now.Sub(h.replied) < replyInterval {
		return false
	}

	h.replied = now

	return true
}

// serve notes that Redis serves, and reports whether that has settled.
func (h *health) serve() bool {
	settled, again := h.noteService()
	if again {
		h.logger.Warn("redis is available again")
	}

	return settled
}

// noteService reports whether there has been no failure for a while, and whether there was one before that.
func (h *health) noteService() (settled, again bool) {
	h.mu.Lock()
	defer h.mu.Unlock()

	failed := len(h.reasons) > 0
	settled = !failed || time.Since(h.failed) >= h.settle

	if settled {
		clear(h.reasons)
	}

	return settled, settled && failed
}

// newProbe returns what finds out whether Redis would serve the stores: a script that writes, as theirs do. Reading works in many
// states in which writing does not. Nothing is left of it.
func newProbe(client goredis.UniversalClient, key string) func(context.Context) error {
	script := goredis.NewScript(`redis.call('SET', KEYS[1], '') redis.call('DEL', KEYS[1]) return 1`)

	return func(ctx context.Context) error {
		return script.Run(ctx, client, []string{key}).Err()
	}
}

// watch looks whether Redis serves, at once and again and again until the context ends.
func (c *Client) watch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()

	policy := safePolicy

	for {
		select {
		case <-ctx.Done():
			return
		case <-c.guard.health.troubled:
			timer.Reset(c.openFor)
		case <-timer.C:
			settled := c.guard.probe(ctx) == nil && c.guard.health.serve()
			if !settled {
				timer.Reset(c.openFor)

				continue
			}

			policy = c.checkPolicy(ctx, policy)

			timer.Reset(checkInterval)
		}
	}
}

// checkPolicy warns of a maxmemory-policy that evicts, unless it is the one that was found before, and returns it. Managed Redis
// often forbid CONFIG GET, but not INFO; if that is forbidden as well, nothing is known, and that is no outage.
func (c *Client) checkPolicy(ctx context.Context, before string) string {
	ctx, cancel := context.WithTimeout(ctx, c.guard.timeout)
	defer cancel()

	unguarded, _ := withHandshake(ctx)

	info, err := c.Info(unguarded, "memory").Result()
	if err != nil {
		return before
	}

	for line := range strings.Lines(info) {
		policy, found := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:")
		if !found {
			continue
		}

		if policy != safePolicy && policy != before {
			c.guard.health.logger.Warn("redis may evict what must be kept, such as idempotency keys: set its maxmemory-policy to "+
				safePolicy, "maxmemory_policy", policy)
		}

		return policy
	}

	return before
}
