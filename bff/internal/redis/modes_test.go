package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// countSource is a script like those of the stores: it reads and writes its key.
const countSource = `return redis.call('INCRBY', KEYS[1], ARGV[1])`

// commands are the calls of Observer.Command, as "name reason".
type commands struct {
	mu   sync.Mutex
	told []string
}

func (c *commands) command(name string, took time.Duration, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if took <= 0 {
		name += " in no time"
	}

	c.told = append(c.told, name+" "+reason)
}

func (c *commands) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()

	defer func() { c.told = nil }()

	return c.told
}

// keys are in slots of all nodes of a Cluster.
func keys(client *redis.Client, many int) []string {
	all := make([]string, many)
	for i := range all {
		all[i] = client.Key(fmt.Sprint("key-", i))
	}

	return all
}

func TestScriptsInAllModes(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		var seen commands

		settings.Timeout = slack
		client := openObserved(t, redis.Config{Redis: settings.WithDefaults()}, redis.Observer{Command: seen.command})
		script := redis.NewScript("count", countSource)

		const many = 40

		var calls []redis.Call

		for i, key := range keys(client, many) {
			calls = append(calls, redis.Call{Keys: []string{key}, Args: []any{i}})
		}

		// At first Redis does not know the script.
		for round := range 2 {
			for i, cmd := range client.RunEach(t.Context(), script, calls) {
				if got, err := cmd.Int(); err != nil || got != i*(round+1) {
					t.Fatalf("%d: got %d, %v", i, got, err)
				}
			}
		}

		for i, call := range calls {
			if got, err := client.Run(t.Context(), script, call.Keys, 0).Int(); err != nil || got != 2*i {
				t.Fatalf("%d: got %d, %v", i, got, err)
			}
		}

		if err := client.Run(t.Context(), script, keys(client, 1), "text").Err(); err == nil || errors.Is(err, redis.ErrUnavailable) {
			t.Errorf("got %v", err)
		}

		want := append(slices.Repeat([]string{"count "}, 2+many), "count error")
		if got := seen.take(); !slices.Equal(got, want) {
			t.Errorf("told %q", got)
		}

		if client.IsCluster() != (settings.Mode == config.RedisCluster) || client.State() != redis.StateClosed {
			t.Errorf("the breaker is %s", client.State())
		}
	})
}

func TestCommandsAreToldOfAnOutage(t *testing.T) {
	t.Parallel()

	var seen commands

	server := redistest.Start(t)
	client := openObserved(t, redis.Config{Redis: config.Redis{URL: server.URL(), Timeout: slack}.WithDefaults(), OpenFor: time.Minute},
		redis.Observer{Command: seen.command})
	script := redis.NewScript("count", countSource)
	calls := []redis.Call{{Keys: keys(client, 1), Args: []any{1}}}

	server.Stop()
	eventually(t, "open", func() bool {
		wantUnavailable(t, client.Run(t.Context(), script, calls[0].Keys, 1).Err())
		wantUnavailable(t, client.RunEach(t.Context(), script, calls)[0].Err())

		return client.State() == redis.StateOpen
	})

	told := seen.take()
	if first := told[0]; first != "count unreachable" {
		t.Errorf("told %q", told)
	}

	wantUnavailable(t, client.Run(t.Context(), script, calls[0].Keys, 1).Err())
	wantUnavailable(t, client.RunEach(t.Context(), script, calls)[0].Err())

	if got := seen.take(); !slices.Equal(got, []string{"count refused", "count refused"}) {
		t.Errorf("told %q", got)
	}
}
