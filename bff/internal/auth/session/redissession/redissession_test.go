package redissession_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/auth/session/redissession"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/testkit/sessiontest"
)

func open(tb testing.TB, settings config.Redis) (*redissession.Store, *redis.Client) {
	tb.Helper()

	settings.Timeout = 5 * time.Second

	client, err := redis.Open(redis.Config{Redis: settings.WithDefaults()}, redis.Observer{})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = client.Close() })

	return redissession.New(client), client
}

func TestRedisIsAStore(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		var opened atomic.Int64

		sessiontest.Run(t, func(t *testing.T, part func(*testing.T)) {
			t.Helper()
			part(t)
		}, func() session.Store {
			own := settings
			own.Prefix = fmt.Sprintf("part%d:", opened.Add(1))
			store, _ := open(t, own)

			return store
		})
	})
}

// What one gateway stores, another one finds, and the end of a session is one for both.
func TestGatewaysShareIt(t *testing.T) {
	t.Parallel()

	settings := config.Redis{URL: redistest.Start(t).URL(), Prefix: "p:"}
	first, client := open(t, settings)
	second, _ := open(t, settings)
	one, two := sessiontest.User{TB: t, Store: first}, sessiontest.User{TB: t, Store: second}

	one.Creates(sessiontest.Entry("a", "label"))
	two.Finds("a", time.Hour, "data of a")
	one.Claims("name", "one", time.Hour, true)
	two.Claims("name", "two", time.Hour, false)
	two.DeletesAll("label", 1)
	one.Misses("a")

	// Nothing is left, nor lasts for ever.
	for _, key := range client.Keys(t.Context(), "*").Val() {
		if ttl := client.PTTL(t.Context(), key).Val(); !strings.HasPrefix(key, "p:session-") || ttl <= 0 {
			t.Errorf("%s lasts %s", key, ttl)
		}
	}
}

// What is in Redis may be of another version, or damaged.
func TestWhatIsNotAsItWasStored(t *testing.T) {
	t.Parallel()

	store, client := open(t, config.Redis{URL: redistest.Start(t).URL(), Prefix: "p:"})
	ctx := t.Context()

	client.Set(ctx, "p:session:text", "x", 0)
	client.HSet(ctx, "p:session:partial", "data", "x")
	client.HSet(ctx, "p:session:version", "data", "x", "version", "one", "until", time.Now().Add(time.Hour).UnixMilli())

	for _, key := range []string{"text", "partial", "version"} {
		if _, err := store.Load(ctx, key, time.Hour); err == nil || errors.Is(err, session.ErrNone) || errors.Is(err, redis.ErrUnavailable) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// Nobody knows then whether there is a session.
func TestNoRedisIsAnError(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	store, _ := open(t, config.Redis{URL: server.URL()})

	server.Stop()

	ctx := t.Context()
	_, loading := store.Load(ctx, "a", 0)
	_, all := store.DeleteAll(ctx, "a")
	_, claiming := store.Claim(ctx, "a", "me", time.Hour)

	for name, err := range map[string]error{
		"create": store.Create(ctx, sessiontest.Entry("a", "b")), "load": loading, "replace": store.Replace(ctx, "a", 1, nil),
		"delete": store.Delete(ctx, "a"), "delete_all": all, "claim": claiming, "release": store.Release(ctx, "a", "me"),
	} {
		if !errors.Is(err, redis.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
