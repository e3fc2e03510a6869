package rediscache_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/cache/rediscache"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/cachetest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// patient is for tests in which Redis is there: a busy machine is no outage.
const patient = 10 * time.Second

func client(tb testing.TB, server *redistest.Server, timeout time.Duration) *redis.Client {
	tb.Helper()

	return connect(tb, config.Redis{URL: server.URL(), Timeout: timeout})
}

func connect(tb testing.TB, settings config.Redis) *redis.Client {
	tb.Helper()

	c, err := redis.Open(redis.Config{Redis: settings.WithDefaults(), OpenFor: 50 * time.Millisecond}, redis.Observer{})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = c.Close() })

	return c
}

// gateway is a Store with a client of its own.
func gateway(tb testing.TB, server *redistest.Server, timeout time.Duration) cachetest.User {
	tb.Helper()

	s := rediscache.New(client(tb, server, timeout))
	tb.Cleanup(func() { _ = s.Close() })

	return cachetest.User{TB: tb, Store: s}
}

func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()

	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: never", what)
		}
	}
}

func TestStoreIsAStore(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		settings.Timeout = patient
		cachetest.Run(t, func(tb testing.TB) (a, b cache.Store) {
			tb.Helper()

			own := settings
			own.Prefix = rand.Text() + ":"

			one, other := rediscache.New(connect(tb, own)), rediscache.New(connect(tb, own))
			tb.Cleanup(func() { _, _ = one.Close(), other.Close() })

			return one, other
		})
	})
}

func TestEverythingInRedisEnds(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	u, redis := gateway(t, server, patient), client(t, server, patient)

	u.Puts("k", cachetest.Entry("1", "s", "t"), u.Now("k"), time.Minute, true)
	u.Puts("l", cachetest.Entry("1", "s"), u.Now("l"), 5*time.Hour, true)
	u.Puts("m", cachetest.Entry("1", "s"), u.Now("m"), time.Minute, true)
	u.Invalidates("s", "u")

	keys, err := redis.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 3+3+1 {
		t.Fatalf("keys %q, %v", keys, err)
	}

	var longest time.Duration

	for _, key := range keys {
		if !strings.HasPrefix(key, "portico:cache:") {
			t.Errorf("key %s", key)
		}

		left, err := redis.TTL(t.Context(), key).Result()
		if err != nil || left <= 0 && key != "portico:cache:state" {
			t.Errorf("%s lives %s, %v", key, left, err)
		}

		if strings.Contains(key, ":tag:") {
			longest = max(longest, left)
		}
	}

	// The tag of an entry that lives for five hours is there for as long, whatever else is done with it.
	if longest < 6*time.Hour-time.Minute {
		t.Errorf("tags live %s at most", longest)
	}
}

// A Redis that runs out of memory may drop keys, if it is told so. What is lost then is answers, and not that they are obsolete.
func TestDroppedKeysMakeAnswersObsolete(t *testing.T) {
	t.Parallel()

	for _, dropped := range []string{"portico:cache:tag:*", "portico:cache:state"} {
		t.Run(strings.Trim(dropped, "*"), func(t *testing.T) {
			t.Parallel()

			server := redistest.Start(t)
			u, redis := gateway(t, server, patient), client(t, server, patient)
			begun := u.Now("k")

			u.Puts("k", cachetest.Entry("1", "t"), begun, time.Hour, true)
			u.Finds("k", "1")

			for _, key := range redis.Keys(t.Context(), dropped).Val() {
				redis.Del(t.Context(), key)
			}

			u.Finds("k", "")
			u.Puts("k", cachetest.Entry("2", "t"), u.Now("k"), time.Hour, true)
			u.Finds("k", "2")
		})
	}
}

func TestRestartedRedisDoesNotTakeWhatBeganBefore(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	u := gateway(t, server, patient)
	begun := u.Now("k")
	u.Invalidates("t")

	server.Stop()
	server.Restart()

	// The pool has connections that are closed.
	eventually(t, "redis is back", func() bool {
		_, err := u.Lookup(t.Context(), cachetest.Key("k"))

		return err == nil
	})
	u.Puts("k", cachetest.Entry("old", "t"), begun, time.Hour, false)
	u.WantsChanged(begun, true, "other")
	u.Puts("k", cachetest.Entry("new", "t"), u.Now("k"), time.Hour, true)
	u.Finds("k", "new")
}

func TestForeignValuesAreErrors(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	u, redis := gateway(t, server, patient), client(t, server, patient)

	for i, answer := range []string{"", "abc", "\x00\x00\x00\x09{}", "\x00\x00\x00\x02[]", "\x00\x00\x00\x04null"} {
		u.Puts("k", cachetest.Entry("1"), u.Now("another"), time.Hour, true)

		for _, key := range redis.Keys(t.Context(), "portico:cache:entry:*").Val() {
			redis.HSet(t.Context(), key, "answer", answer)
		}

		if found, err := u.Lookup(t.Context(), cachetest.Key("k")); err == nil {
			t.Errorf("%d: found %+v", i, found.Entry)
		}
	}
}

// outages are ways of Redis not to answer, and to be back.
var outages = map[string]struct{ begin, end func(*redistest.Server) }{
	"frozen": {(*redistest.Server).Freeze, (*redistest.Server).Thaw},
	"killed": {(*redistest.Server).Stop, (*redistest.Server).Restart},
}

func TestInvalidationsAreDeliveredAfterAnOutage(t *testing.T) {
	t.Parallel()

	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := redistest.Start(t)
			a, b := gateway(t, server, 300*time.Millisecond), gateway(t, server, patient)

			put := func(u cachetest.User, name, tag string) bool {
				found, err := u.Lookup(t.Context(), cachetest.Key(name))
				if err != nil {
					return false
				}

				kept, err := u.Put(t.Context(), cachetest.Key(name), cachetest.Entry("old", tag), found.Now, time.Hour)

				return err == nil && kept
			}

			eventually(t, "put", func() bool { return put(a, "k", "t") && put(a, "l", "u") })
			begun := a.Now("k")
			outage.begin(server)

			if _, err := a.Lookup(t.Context(), cachetest.Key("k")); !errors.Is(err, redis.ErrUnavailable) {
				t.Errorf("lookup: got %v", err)
			}

			if err := a.Invalidate(t.Context(), []string{"t"}); !errors.Is(err, redis.ErrUnavailable) {
				t.Errorf("invalidate: got %v", err)
			}

			// What Redis does not know yet, its gateway does.
			a.WantsChanged(begun, true, "t")
			a.WantsChanged(begun, true)
			a.Puts("k", cachetest.Entry("old", "t"), begun, time.Hour, false)

			outage.end(server)

			// It never finds what it has invalidated, whichever is quicker.
			eventually(t, "redis is back", func() bool {
				found, err := a.Lookup(t.Context(), cachetest.Key("k"))
				if err == nil && found.Entry != nil {
					t.Fatal("found what is obsolete")
				}

				return err == nil
			})
			eventually(t, "the other gateway knows", func() bool {
				found, err := b.Lookup(t.Context(), cachetest.Key("k"))

				return err == nil && found.Entry == nil
			})
			eventually(t, "answers are kept again", func() bool { return put(a, "k", "t") })
			b.Finds("k", "old")

			if name == "frozen" {
				b.Finds("l", "old")
			}
		})
	}
}

func TestTooManyUndeliveredInvalidationsMakeAllObsolete(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	a, b := gateway(t, server, 300*time.Millisecond), gateway(t, server, patient)

	b.Puts("k", cachetest.Entry("old", "quiet"), b.Now("k"), time.Hour, true)
	server.Freeze()

	tags := make([]string, 0, 5000)
	for i := range cap(tags) {
		tags = append(tags, fmt.Sprint("tag-", i))
	}

	for len(tags) > 0 {
		if err := a.Invalidate(t.Context(), tags[:50]); err == nil {
			t.Fatal("got no error")
		}

		tags = tags[50:]
	}

	a.WantsChanged(cache.Mark{}, true, "quiet")
	server.Thaw()
	eventually(t, "the other gateway knows", func() bool {
		found, err := b.Lookup(t.Context(), cachetest.Key("k"))

		return err == nil && found.Entry == nil
	})
	eventually(t, "answers are kept again", func() bool {
		found, err := a.Lookup(t.Context(), cachetest.Key("k"))
		if err != nil {
			return false
		}

		kept, err := a.Put(t.Context(), cachetest.Key("k"), cachetest.Entry("new", "quiet"), found.Now, time.Hour)

		return err == nil && kept
	})
	b.Finds("k", "new")
}

func TestCloseDeliversOrSaysWhatIsLost(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	b := gateway(t, server, patient)
	b.Puts("k", cachetest.Entry("old", "t"), b.Now("k"), time.Hour, true)

	c := client(t, server, 300*time.Millisecond)
	lost, late := rediscache.New(c), rediscache.New(c)

	server.Freeze()

	for _, s := range []*rediscache.Store{lost, late} {
		if err := s.Invalidate(t.Context(), []string{"t"}); err == nil {
			t.Fatal("got no error")
		}
	}

	if err := lost.Close(); err == nil {
		t.Error("nothing is lost")
	}

	server.Thaw()
	eventually(t, "redis is back", func() bool { return c.Ping(t.Context()).Err() == nil })

	if err := late.Close(); err != nil {
		t.Error(err)
	}

	b.Finds("k", "")
}

// A moment that Redis does not know, because it was restored from before, is before anything that is invalidated after that.
func TestMomentsThatRedisLostAreOver(t *testing.T) {
	t.Parallel()

	u := gateway(t, redistest.Start(t), patient)
	lost := u.Now("k")
	lost.Count++

	u.WantsChanged(lost, true)
	u.WantsChanged(lost, true, "t")
	u.Puts("k", cachetest.Entry("1", "t"), lost, time.Hour, false)
	u.Finds("k", "")
}

func ExampleNew() {
	client, err := redis.Open(redis.Config{Redis: config.Redis{URL: "redis://127.0.0.1:6379/0"}.WithDefaults()}, redis.Observer{})
	if err != nil {
		return
	}
	defer client.Close()

	store := rediscache.New(client)
	defer store.Close()

	answers := cache.New(store, nil)
	defer answers.Close()
	// Output:
}

func BenchmarkLookup(b *testing.B) {
	u := gateway(b, redistest.Start(b), patient)
	u.Puts("k", cachetest.Entry(strings.Repeat("a", 2000), "t"), u.Now("k"), time.Hour, true)

	for b.Loop() {
		if found, err := u.Lookup(b.Context(), cachetest.Key("k")); err != nil || found.Entry == nil {
			b.Fatal(err)
		}
	}
}

// Once, other gateways went on to serve what was obsolete, since they could still read.
func TestInvalidationInAFullRedis(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	one, two := gateway(t, server, patient), gateway(t, server, patient)

	one.Puts("k", cachetest.Entry("1", "t"), one.Now("k"), time.Minute, true)
	two.Finds("k", "1")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	two.Finds("k", "1")

	if err := one.Invalidate(t.Context(), []string{"t"}); err != nil {
		t.Error(err)
	}

	two.Finds("k", "")
}
