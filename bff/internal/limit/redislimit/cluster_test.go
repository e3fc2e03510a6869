package redislimit_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/redislimit"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// trips counts what is sent for a test, and not by the watch of the client: a command or a pipeline.
type trips struct{ atomic.Int64 }

type testKey struct{}

func (n *trips) count(ctx context.Context) {
	if ctx.Value(testKey{}) != nil {
		n.Add(1)
	}
}

func (*trips) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (n *trips) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		n.count(ctx)

		return next(ctx, cmd)
	}
}

func (n *trips) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		n.count(ctx)

		return next(ctx, cmds)
	}
}

func named(name string, burst int64) limit.Request {
	return limit.Request{Key: limit.Key{Limit: name}, Rate: limit.Rate{Requests: 1, Per: time.Hour, Burst: burst}, Cost: 1}
}

// A decision is one round trip, but in a Cluster another gives back what was taken in vain.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		settings.Timeout = patient
		client := connect(t, redis.Config{Redis: settings})
		store := redislimit.New(client)

		var all []limit.Request
		for i := range 12 {
			all = append(all, named(fmt.Sprint("large-", i), 10))
		}

		take := func(requests ...limit.Request) {
			t.Helper()

			if _, err := store.Take(context.WithValue(t.Context(), testKey{}, true), requests); err != nil {
				t.Fatal(err)
			}
		}

		// Then all nodes know the script.
		take(all...)

		var sent trips

		client.AddHook(&sent)

		one := named("empty", 1)
		vain := int64(1)

		if client.IsCluster() {
			vain = 2
		}

		for name, row := range map[string]struct {
			requests []limit.Request
			want     int64
		}{
			"one": {all[:1], 1}, "many": {all[:5], 1}, "refused": {append(all[5:10:10], one), vain},
		} {
			if name == "refused" {
				take(one)
			}

			before := sent.Load()
			take(row.requests...)

			if got := sent.Load() - before; got != row.want {
				t.Errorf("%s: %d round trips, want %d", name, got, row.want)
			}
		}

		// Nothing was taken by what was refused.
		for i, r := range all[5:10] {
			if got, err := store.Take(t.Context(), []limit.Request{r}); err != nil || got[0].Remaining != 8 {
				t.Errorf("%d: got %+v, %v", i, got, err)
			}
		}
	})
}

// What is given back to a bucket that has become full meanwhile is not more than it holds.
func TestGivenBackToAFullBucket(t *testing.T) {
	t.Parallel()

	settings := redistest.ClusterSettings(redistest.StartCluster(t, 3))
	settings.Timeout = patient
	store := redislimit.New(connect(t, redis.Config{Redis: settings}))
	quick := limit.Request{Key: limit.Key{Limit: "quick"}, Rate: limit.Rate{Requests: 1_000_000, Per: time.Second, Burst: 3}, Cost: 1}
	daily := limit.Request{Key: limit.Key{Limit: "daily"}, Rate: limit.Rate{Requests: 3, Daily: true}, Cost: 1}
	empty := named("empty", 1)

	for range 5 {
		got, err := store.Take(t.Context(), []limit.Request{quick, empty, daily})
		if err != nil {
			t.Fatal(err)
		}

		if got[1].Allowed {
			continue
		}

		if q, d := got[0], got[2]; !q.Allowed || q.Remaining != 3 || q.ResetAfter != 0 || !d.Allowed || d.Remaining != 2 {
			t.Errorf("got %+v", got)
		}
	}
}
