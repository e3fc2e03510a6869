package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// slack is for a busy machine.
const slack = 10 * time.Second

func open(tb testing.TB, cfg redis.Config) *redis.Client {
	tb.Helper()

	return openObserved(tb, cfg, redis.Observer{})
}

func openObserved(tb testing.TB, cfg redis.Config, observer redis.Observer) *redis.Client {
	tb.Helper()

	client, err := redis.Open(cfg, observer)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() {
		if err := client.Close(); err != nil {
			tb.Error(err)
		}
	})

	return client
}

func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()

	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: never", what)
		}
	}
}

func ping(tb testing.TB, client *redis.Client) error {
	tb.Helper()

	return client.Ping(tb.Context()).Err()
}

func wantUnavailable(tb testing.TB, err error) {
	tb.Helper()

	if !errors.Is(err, redis.ErrUnavailable) {
		tb.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestOpenRefusesWhatIsNoURLWithoutShowingIt(t *testing.T) {
	t.Parallel()

	for _, url := range []string{"", "localhost:6379", "http://:secret@localhost", "redis://:secret@local host", "redis://:secret@h/x"} {
		client, err := redis.Open(redis.Config{Redis: config.Redis{URL: url}.WithDefaults()}, redis.Observer{})
		if err == nil {
			t.Errorf("%s: got %v", url, client)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the password shows: %v", err)
		}
	}
}

func TestCommandsAndPipelines(t *testing.T) {
	t.Parallel()

	client := open(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: slack}.WithDefaults()})

	_, err := client.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
		p.Set(t.Context(), client.Key("a"), "1", 0)
		p.Incr(t.Context(), client.Key("a"))

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	if got, err := client.Get(t.Context(), "portico:a").Result(); got != "2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()

	client := open(t, redis.Config{Redis: config.Redis{URL: "redis://127.0.0.1:1", Prefix: "p1:"}.WithDefaults()})
	if got := client.Key("a"); got != "p1:a" {
		t.Errorf("got %s", got)
	}
}

// What Redis replies is no outage, and what the caller gives up is none.
func TestRepliesAndCancellationsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()

	client := open(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: slack}.WithDefaults()})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()

	client.Set(t.Context(), "text", "a", 0)

	for range 50 {
		if err := client.Get(t.Context(), "missing").Err(); !errors.Is(err, goredis.Nil) || errors.Is(err, redis.ErrUnavailable) {
			t.Fatal(err)
		}

		if err := client.Incr(t.Context(), "text").Err(); err == nil || errors.Is(err, redis.ErrUnavailable) {
			t.Fatal(err)
		}

		if err := client.EvalSha(t.Context(), "ffffffffffffffffffffffffffffffffffffffff", nil).Err(); !goredis.HasErrorPrefix(err, "NOSCRIPT") {
			t.Fatal(err)
		}

		if err := client.Ping(canceled).Err(); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}

	if client.State() != redis.StateClosed {
		t.Errorf("the breaker is %s", client.State())
	}
}

func TestUnreachableRedisOpensTheBreakerAndItsReturnClosesIt(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)

	var (
		mu   sync.Mutex
		told []string
	)

	client := openObserved(t, redis.Config{Redis: config.Redis{URL: server.URL(), Timeout: slack}.WithDefaults(), OpenFor: 200 * time.Millisecond},
		redis.Observer{State: func(to redis.State) {
			mu.Lock()
			defer mu.Unlock()

			told = append(told, to.String())
		}})

	if err := ping(t, client); err != nil {
		t.Fatal(err)
	}

	server.Stop()
	eventually(t, "open", func() bool {
		wantUnavailable(t, ping(t, client))

		return client.State() == redis.StateOpen
	})

	_, err := client.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
		p.Get(t.Context(), "a")

		return nil
	})
	wantUnavailable(t, err)

	server.Restart()
	eventually(t, "closed", func() bool { return ping(t, client) == nil && client.State() == redis.StateClosed })

	mu.Lock()
	defer mu.Unlock()

	if first, last := told[0], told[len(told)-1]; first != "open" || last != "closed" || told[len(told)-2] != "half-open" {
		t.Errorf("told %q", told)
	}
}

func TestFrozenRedisCostsNoMoreThanTheTimeoutAndThenNothing(t *testing.T) {
	t.Parallel()

	const timeout = 500 * time.Millisecond

	for _, kind := range []string{"connected", "unconnected"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()

			server := redistest.Start(t)
			client := open(t, redis.Config{Redis: config.Redis{URL: server.URL(), Timeout: timeout}.WithDefaults(), OpenFor: time.Minute})

			if kind == "connected" {
				eventually(t, "connected", func() bool { return ping(t, client) == nil })
			}

			server.Freeze()

			var took []time.Duration

			for client.State() == redis.StateClosed {
				start := time.Now()
				wantUnavailable(t, ping(t, client))
				took = append(took, time.Since(start))
			}

			// One of them may have been unlucky on a busy machine, but not most.
			slices.Sort(took)

			if median := took[len(took)/2]; median > 2*timeout {
				t.Errorf("commands took %s", took)
			}

			const many = 1000

			start := time.Now()

			for range many {
				wantUnavailable(t, ping(t, client))
			}

			if each := time.Since(start) / many; each > timeout/10 {
				t.Errorf("a refused command took %s", each)
			}
		})
	}
}

// A pool of connections that hang must not make commands wait for a free one any longer than for an answer.
func TestExhaustedPoolIsBoundedToo(t *testing.T) {
	t.Parallel()

	const timeout = 100 * time.Millisecond

	server := redistest.Start(t)
	client := open(t, redis.Config{Redis: config.Redis{URL: server.URL() + "?pool_size=1", Timeout: timeout}.WithDefaults(), OpenFor: time.Minute})

	server.Freeze()

	start := time.Now()

	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { wantUnavailable(t, ping(t, client)) })
	}

	wg.Wait()

	if took := time.Since(start); took > slack {
		t.Errorf("took %s", took)
	}
}

func TestFailuresOfSomeCommandsInTheWindowOpenTheBreaker(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	client := open(t, redis.Config{Redis: config.Redis{URL: server.URL(), Timeout: 50 * time.Millisecond}.WithDefaults(), OpenFor: time.Minute})

	// Two of three commands take too long: more than half, whatever the watch adds, and never many in a row.
	for i := 0; client.State() == redis.StateClosed; i++ {
		if i == 200 {
			t.Fatal("the breaker stays closed")
		}

		if i%3 == 0 {
			_ = ping(t, client)

			continue
		}

		server.Freeze()
		wantUnavailable(t, ping(t, client))
		server.Thaw()
		time.Sleep(5 * time.Millisecond)
	}
}

func TestStateNames(t *testing.T) {
	t.Parallel()

	got := []string{redis.StateClosed.String(), redis.StateHalfOpen.String(), redis.StateOpen.String()}
	if diff := cmp.Diff([]string{"closed", "half-open", "open"}, got); diff != "" {
		t.Error(diff)
	}
}

func ExampleOpen() {
	client, err := redis.Open(redis.Config{Redis: config.Redis{URL: "redis://127.0.0.1:6379/0", Timeout: 50 * time.Millisecond}.WithDefaults()}, redis.Observer{})
	if err != nil {
		fmt.Println(err)

		return
	}
	defer client.Close()

	fmt.Println(client.Key("greeting"), client.State())
	// Output: portico:greeting closed
}
