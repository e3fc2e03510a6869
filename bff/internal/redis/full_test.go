package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// Once, the breaker kept commands from a full Redis that it would have served, such as the look for a response that was stored.
func TestFullRedisServesWhatNeedsNoMemory(t *testing.T) {
	t.Parallel()

	var told watched

	server := redistest.Start(t)
	client := openObserved(t, redis.Config{
		Redis: config.Redis{URL: server.URL(), Timeout: slack}.WithDefaults(), OpenFor: 50 * time.Millisecond,
	}, told.observer())
	set := func() error { return client.Set(t.Context(), client.Key("a"), "1", time.Minute).Err() }

	if err := set(); err != nil {
		t.Fatal(err)
	}

	server.Do("CONFIG", "SET", "maxmemory", "1")

	for range 50 {
		if err := set(); !errors.Is(err, redis.ErrUnavailable) {
			t.Fatalf("a write: %v", err)
		}

		if got, err := client.Get(t.Context(), client.Key("a")).Result(); got != "1" || err != nil {
			t.Fatalf("a read: %q %v", got, err)
		}
	}

	if lines := told.await(t, "redis is unavailable"); len(lines) != 1 || !strings.Contains(lines[0], "reason=oom ") ||
		told.failures("oom") < 50 || client.State() != redis.StateClosed || len(client.Trouble()) != 1 {
		t.Errorf("%s, told %q", client.State(), lines)
	}

	server.Do("CONFIG", "SET", "maxmemory", "0")
	eventually(t, "told so", func() bool { return len(told.lines("redis is available again")) == 1 })
}
