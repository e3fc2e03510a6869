package redis

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// checkInterval is how often a working Redis is checked. Another one may have replaced it.
	checkInterval = time.Minute
	// settleTimes is how many times as long as the breaker stays open there must be no failure before the log says that Redis works
	// again.
	settleTimes = 5
	// replyInterval is the time between two lines about error replies that are no outage.
	replyInterval = time.Minute
	// safePolicy is the maxmemory-policy with which Redis evicts nothing that has not expired.
	safePolicy = "noeviction"
)

// health logs whether Redis works: one line when it stops and why, one more for each further reason, and one when it works again.
// It is safe for concurrent use. Nothing is logged under its lock, which requests take.
type health struct {
	logger *slog.Logger
	settle time.Duration
	// troubled wakes the goroutine that checks whether Redis works again.
	troubled chan struct{}

	mu sync.Mutex
	// reasons are those that were logged since Redis worked.
	reasons map[string]bool
	failed  time.Time
	replied time.Time
	// policy is the maxmemory-policy that evicts; empty: it does not, or is unknown.
	policy string
}

func newHealth(logger *slog.Logger, openFor time.Duration) *health {
	return &health{logger: logger, settle: settleTimes * openFor, troubled: make(chan struct{}, 1), reasons: map[string]bool{}}
}

// failure is called when Redis does not work.
func (h *health) failure(reason string, err error) {
	h.mu.Lock()
	known := h.reasons[reason]
	h.reasons[reason], h.failed = true, time.Now()
	h.mu.Unlock()

	if known {
		return
	}

	h.logger.Warn("redis is unavailable", "reason", reason, "error", err)

	select {
	case h.troubled <- struct{}{}:
	default:
	}
}

// errorReply is called for an error reply that is no outage.
func (h *health) errorReply(err error) {
	h.mu.Lock()

	now := time.Now()
	due := h.replied.IsZero() || now.Sub(h.replied) >= replyInterval

	if due {
		h.replied = now
	}

	h.mu.Unlock()

	if due {
		h.logger.Warn("redis replied with an error", "error", err)
	}
}

// success is called when Redis works, and reports whether there has been no failure for a while.
func (h *health) success() (settled bool) {
	h.mu.Lock()

	failed := len(h.reasons) > 0
	settled = !failed || time.Since(h.failed) >= h.settle

	if settled {
		clear(h.reasons)
	}

	h.mu.Unlock()

	if settled && failed {
		h.logger.Warn("redis is available again")
	}

	return settled
}

// trouble lists the reasons, sorted; nil if Redis works.
func (h *health) trouble() []string {
	h.mu.Lock()
	defer h.mu.Unlock()

	return slices.Sorted(maps.Keys(h.reasons))
}

// evicts sets the maxmemory-policy, and reports whether that is news.
func (h *health) evicts(policy string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()

	if policy == safePolicy {
		policy = ""
	}

	before := h.policy
	h.policy = policy

	return policy != "" && policy != before
}

// newProbe returns a function that checks whether Redis works for the stores: with a script that writes, as theirs do. Reading
// works in many states in which writing does not. It leaves nothing behind. In a Cluster it writes beside the key, if there is one.
func newProbe(client *Client) func(ctx context.Context, key string) error {
	script := goredis.NewScript(`redis.call('SET', KEYS[1], '') redis.call('DEL', KEYS[1]) return 1`)
	own := client.Key("probe")
	cluster := client.IsCluster()

	return func(ctx context.Context, key string) error {
		probed := own
		if cluster && key != "" {
			probed = inSlotOf(own, key)
		}

		return script.Run(ctx, client.UniversalClient, []string{probed}).Err()
	}
}

// watch checks whether Redis works, now and at intervals until the context ends.
func (c *Client) watch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-c.guard.health.troubled:
			timer.Reset(c.openFor)
		case <-timer.C:
			settled := c.check(ctx) == nil && c.guard.health.success()
			if !settled {
				timer.Reset(c.openFor)
				continue
			}

			c.checkPolicy(ctx)
			timer.Reset(checkInterval)
		}
	}
}

// check writes, and in a Cluster asks every primary as well.
func (c *Client) check(ctx context.Context) error {
	if err := c.guard.probe(ctx, ""); err != nil || !c.IsCluster() {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, c.guard.timeout)
	defer cancel()

	return c.eachPrimary(ctx, func(ctx context.Context, node goredis.Cmdable) error { return node.Ping(ctx).Err() })
}

// checkPolicy warns of a maxmemory-policy that evicts, unless it is the one that was found before. Managed Redis often forbid
// CONFIG GET, but not INFO; if that is forbidden as well, the policy is unknown, which is no outage.
func (c *Client) checkPolicy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.guard.timeout)
	defer cancel()

	unguarded, _ := withHandshake(ctx)

	var (
		mu    sync.Mutex
		found string
	)

	err := c.eachPrimary(unguarded, func(ctx context.Context, server goredis.Cmdable) error {
		info, err := server.Info(ctx, "memory").Result()

		mu.Lock()
		defer mu.Unlock()

		// One that evicts is enough.
		if policy := policyOf(info); found == "" || found == safePolicy {
			found = cmp.Or(policy, found)
		}

		return err //nolint:wrapcheck // It is not told.
	})
	if err != nil || found == "" {
		return
	}

	if c.guard.health.evicts(found) {
		c.guard.health.logger.Warn("redis may evict what must be kept, such as idempotency keys: set its maxmemory-policy to "+
			safePolicy, "maxmemory_policy", found)
	}
}

// policyOf finds the maxmemory-policy in what INFO replied.
func policyOf(info string) string {
	for line := range strings.Lines(info) {
		if policy, found := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:"); found {
			return policy
		}
	}

	return ""
}
