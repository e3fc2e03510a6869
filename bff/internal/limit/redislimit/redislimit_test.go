package redislimit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/redislimit"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/limittest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// patient is a timeout that a busy machine does not reach.
const patient = 10 * time.Second

// connect returns a client with a prefix of its own, unless the test sets one.
func connect(tb testing.TB, cfg redis.Config) *redis.Client {
	tb.Helper()

	if cfg.Prefix == "" {
		cfg.Prefix = rand.Text() + ":"
	}

	cfg.Redis = cfg.WithDefaults()

	client, err := redis.Open(cfg, redis.Observer{})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = client.Close() })

	return client
}

func here(t *testing.T, test func(*testing.T)) {
	t.Helper()
	test(t)
}

func request(rate limit.Rate) limit.Request {
	return limit.Request{Key: limit.Key{Limit: "rpc#0", Issuer: "https://login", Subject: "ada@example.com"}, Rate: rate, Cost: 1}
}

func TestStore(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		settings.Timeout = patient
		limittest.Run(t, here, func(tb testing.TB) limit.Store {
			tb.Helper()

			return redislimit.New(connect(tb, redis.Config{Redis: settings}))
		})
	})
}

func TestThreeTimesTheRateOverTwoGateways(t *testing.T) {
	t.Parallel()

	const lasts = 6 * time.Second

	cfg := redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: patient, Prefix: "shared:"}}
	limittest.Flood(t, lasts, redislimit.New(connect(t, cfg)), redislimit.New(connect(t, cfg)))
}

func TestKeysNameNobodyAndVanish(t *testing.T) {
	t.Parallel()

	client := connect(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: patient, Prefix: "p:"}})
	store := redislimit.New(client)
	ctx := t.Context()

	_, err := store.Take(ctx, []limit.Request{request(limit.Rate{Requests: 1, Per: 100 * time.Millisecond})})
	if err != nil {
		t.Fatal(err)
	}

	daily := request(limit.Rate{Requests: 1, Daily: true})
	daily.Key.Limit = "rpc#1"

	if _, err := store.Take(ctx, []limit.Request{daily}); err != nil {
		t.Fatal(err)
	}

	for _, key := range client.Keys(ctx, "*").Val() {
		if !strings.HasPrefix(key, "p:limit:") || strings.Contains(key, "ada") || strings.Contains(key, "rpc") {
			t.Errorf("key %q", key)
		}

		if ttl := client.PTTL(ctx, key).Val(); ttl <= 0 || ttl > limit.Day {
			t.Errorf("%s lasts for %s", key, ttl)
		}
	}

	for deadline := time.Now().Add(patient); client.DBSize(ctx).Val() > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the full bucket stays")
		}
	}
}

// A restarted Redis knows no scripts.
func TestScriptIsSentAgain(t *testing.T) {
	t.Parallel()

	client := connect(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: patient}})
	store := redislimit.New(client)

	for range 2 {
		if _, err := store.Take(t.Context(), []limit.Request{request(limit.Rate{Requests: 9, Per: time.Hour})}); err != nil {
			t.Fatal(err)
		}

		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// What stands under a key was written by the gateway, but perhaps by another version.
func TestNonsenseInRedisIsAnError(t *testing.T) {
	t.Parallel()

	client := connect(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: patient}})
	store := redislimit.New(client)
	requests := []limit.Request{request(limit.Rate{Requests: 9, Per: time.Hour})}

	if _, err := store.Take(t.Context(), requests); err != nil {
		t.Fatal(err)
	}

	client.Set(t.Context(), client.Keys(t.Context(), "*").Val()[0], "nonsense", 0)

	if got, err := store.Take(t.Context(), requests); err == nil {
		t.Errorf("got %+v", got)
	}
}

func TestOutageIsAnErrorWithinTheTimeout(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	store := redislimit.New(connect(t, redis.Config{Redis: config.Redis{URL: server.URL()}}))

	server.Freeze()

	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()

	_, err := store.Take(ctx, []limit.Request{request(limit.Rate{Requests: 9, Per: time.Hour})})
	if !errors.Is(err, redis.ErrUnavailable) || ctx.Err() != nil {
		t.Errorf("got %v", err)
	}
}

func BenchmarkTake(b *testing.B) {
	store := redislimit.New(connect(b, redis.Config{Redis: config.Redis{URL: redistest.Start(b).URL(), Timeout: patient}}))
	requests := []limit.Request{request(limit.Rate{Requests: 1000, Per: time.Second})}

	b.ReportAllocs()

	for b.Loop() {
		if _, err := store.Take(b.Context(), requests); err != nil {
			b.Fatal(err)
		}
	}
}
