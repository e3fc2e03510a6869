package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
)

// Check refuses what Open does, without making a client.
func Check(cfg config.Redis) error {
	if cfg.URL == "" {
		return nil
	}

	if _, err := goredis.ParseURL(cfg.URL); err != nil {
		return fmt.Errorf("redis URL: %w", redacted(err))
	}

	return nil
}

// Status is a Redis as CheckOnline found it.
type Status struct {
	// Version and Policy are what it says of itself, "7.2.4" and "noeviction". Empty: it does not tell.
	Version, Policy string
	// Took is how long a write took.
	Took time.Duration
}

// Evicts reports whether it may evict what must be kept.
func (s Status) Evicts() bool { return s.Policy != "" && s.Policy != safePolicy }

// writeScript writes as those of the stores do, and leaves nothing behind.
const writeScript = `redis.call('SET', KEYS[1], '') redis.call('DEL', KEYS[1]) return 1`

// CheckOnline connects to a Redis and writes to it. The context bounds that, and not the timeout of the configuration.
func CheckOnline(ctx context.Context, cfg Config) (Status, error) {
	var found Status

	if deadline, ok := ctx.Deadline(); ok {
		cfg.Timeout = time.Until(deadline)
	}

	client, err := Open(cfg, Observer{})
	if err != nil {
		return found, err
	}
	defer client.Close() //nolint:errcheck // Nothing is lost.

	write := func() error {
		return goredis.NewScript(writeScript).Run(ctx, client, []string{client.Key("check")}).Err()
	}

	if err := write(); err != nil {
		return found, fmt.Errorf("cannot be written to: %w", err)
	}

	// The second one has a connection and knows the script.
	began := time.Now()
	if err := write(); err != nil {
		return found, fmt.Errorf("cannot be written to: %w", err)
	}

	found.Took = time.Since(began)

	if client.IsCluster() {
		err := client.eachPrimary(ctx, func(ctx context.Context, node goredis.Cmdable) error { return node.Ping(ctx).Err() })
		if err != nil {
			return found, fmt.Errorf("a primary of the Cluster does not reply: %w", err)
		}
	}

	// Managed ones may forbid it.
	if info, err := client.Info(ctx).Result(); err == nil {
		found.Version, found.Policy = infoField(info, "redis_version"), infoField(info, "maxmemory_policy")
	}

	return found, nil
}

// infoField returns a field of the reply to INFO; "" if there is none.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}

	return ""
}
