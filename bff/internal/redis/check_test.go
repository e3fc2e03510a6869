package redis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

func TestCheck(t *testing.T) {
	t.Parallel()

	for url, want := range map[string]string{
		"": "", "redis://u:secret@h:1/2": "", "redis://h:1/0?pool_size=3": "",
		"redis://h:1/zero": "database", "redis://h:1?nonsense=1": "nonsense", "redis://u:secret@h:port": "invalid port",
	} {
		err := redis.Check(config.Redis{URL: url})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: got %v, want %q", url, err, want)
		}
	}
}

func TestCheckOnline(t *testing.T) {
	t.Parallel()

	check := func(url string) (redis.Status, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()

		return redis.CheckOnline(ctx, redis.Config{Redis: config.Redis{URL: url}.WithDefaults()})
	}

	good := redistest.Start(t)
	if got, err := check(good.URL()); err != nil || got.Version == "" || got.Policy != "noeviction" || got.Evicts() || got.Took <= 0 {
		t.Errorf("got %+v, %v", got, err)
	}

	evicting := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	if got, err := check(evicting.URL()); err != nil || !got.Evicts() {
		t.Errorf("got %+v, %v", got, err)
	}

	tell := func(server *redistest.Server, command ...any) {
		client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
		defer client.Close()

		if err := client.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}

	locked, replica := redistest.Start(t), redistest.Start(t)
	tell(locked, "CONFIG", "SET", "requirepass", "secret")
	tell(replica, "REPLICAOF", "127.0.0.1", "1")

	good.Stop()

	for url, want := range map[string]string{
		locked.URL(): "NOAUTH", "redis://:wrong@" + locked.Addr: "WRONGPASS", replica.URL(): "READONLY", good.URL(): "refused",
	} {
		if got, err := check(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v, want %s", url, got, err, want)
		}
	}
}

// What is checked is the same with Sentinels, and in a Cluster.
func TestCheckOnlineInEachMode(t *testing.T) {
	t.Parallel()

	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()

		if got, err := redis.CheckOnline(ctx, redis.Config{Redis: settings.WithDefaults()}); err != nil || got.Version == "" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
