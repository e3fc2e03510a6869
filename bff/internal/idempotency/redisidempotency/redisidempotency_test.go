package redisidempotency_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/idempotency/redisidempotency"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/idempotencytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

func open(tb testing.TB, server *redistest.Server, prefix string) *redisidempotency.Store {
	tb.Helper()

	return openAt(tb, config.Redis{URL: server.URL(), Prefix: prefix})
}

func openAt(tb testing.TB, settings config.Redis) *redisidempotency.Store {
	tb.Helper()

	settings.Timeout = 5 * time.Second

	client, err := redis.Open(redis.Config{Redis: settings.WithDefaults()}, redis.Observer{})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = client.Close() })

	return redisidempotency.New(client)
}

func TestRedisIsAStore(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		var opened atomic.Int64

		idempotencytest.Run(t, func(t *testing.T, part func(*testing.T)) {
			t.Helper()
			part(t)
		}, func() idempotency.Store {
			own := settings
			own.Prefix = fmt.Sprintf("part%d:", opened.Add(1))

			return openAt(t, own)
		})
	})
}

// What one gateway has answered, another one knows.
func TestGatewaysShareIt(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	one := idempotencytest.User{TB: t, Store: open(t, server, "p:")}
	two := idempotencytest.User{TB: t, Store: open(t, server, "p:")}
	first, second := idempotencytest.Claim("key", "print", "one"), idempotencytest.Claim("key", "print", "two")

	one.Claims(first, idempotency.Claimed)
	two.Claims(second, idempotency.InProgress)
	one.Finishes(first, idempotency.Response{Status: 201, Body: []byte("x")}, time.Hour, nil)

	if got := two.Claims(second, idempotency.Done); got.Status != 201 || string(got.Body) != "x" {
		t.Errorf("got %+v", got)
	}
}

func TestFullRedis(t *testing.T) {
	t.Parallel()

	u := idempotencytest.User{TB: t, Store: open(t, redistest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction"), "")}
	large := idempotency.Response{Status: 200, Body: make([]byte, 256<<10)}

	for i := range 64 {
		claim := idempotencytest.Claim(strconv.Itoa(i), "print", "me")

		_, _, err := u.Claim(t.Context(), claim)
		if err == nil {
			err = u.Finish(t.Context(), claim, large, time.Hour)
		}

		if errors.Is(err, idempotency.ErrFull) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}

	t.Error("more than there is room for was kept")
}

// Nobody knows then whether the request was made before.
func TestNoRedisIsAnError(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	store := open(t, server, "")

	server.Stop()

	if _, _, err := store.Claim(t.Context(), idempotencytest.Claim("key", "print", "me")); !errors.Is(err, redis.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// Once, a write that had happened was not stored, and its repetition happened as well when its lease was over.
func TestClaimIsFinishedInAFullRedis(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	u := idempotencytest.User{TB: t, Store: open(t, server, "")}
	claim, other := idempotencytest.Claim("key", "print", "me"), idempotencytest.Claim("key", "print", "other")

	u.Claims(claim, idempotency.Claimed)
	server.Do("CONFIG", "SET", "maxmemory", "1")

	if _, _, err := u.Claim(t.Context(), idempotencytest.Claim("another", "print", "me")); !errors.Is(err, idempotency.ErrFull) {
		t.Errorf("a new key: %v", err)
	}

	u.Finishes(claim, idempotency.Response{Status: 201, Body: []byte("x")}, time.Hour, nil)

	if got := u.Claims(other, idempotency.Done); string(got.Body) != "x" {
		t.Errorf("got %+v", got)
	}
}
