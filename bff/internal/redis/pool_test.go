package redis_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// busy sends so many commands at once, for each of which Redis takes a time, and returns their errors.
func busy(tb testing.TB, client *redis.Client, many int, seconds string) []error {
	tb.Helper()

	var wg sync.WaitGroup

	errs := make([]error, many)

	for i := range errs {
		wg.Go(func() {
			if err := client.Do(tb.Context(), "BLPOP", "missing", seconds).Err(); !errors.Is(err, goredis.Nil) {
				errs[i] = err
			}
		})
	}

	wg.Wait()

	return errs
}

// Once, there were ten connections for each core, and what had waited for one too long opened the breaker.
func TestCommandsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()

	client := open(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: 10 * time.Second}.WithDefaults()})

	if err := errors.Join(busy(t, client, 32*runtime.GOMAXPROCS(0), "4")...); err != nil || client.State() != redis.StateClosed {
		t.Errorf("the breaker is %s, %v", client.State(), err)
	}
}

// Once, waiting for a connection that others kept busy counted as a failure of Redis.
func TestExhaustedPoolDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()

	client := open(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL() + "?pool_size=1", Timeout: 4 * time.Second}.WithDefaults(), OpenFor: time.Minute})
	waited := 0

	for _, err := range busy(t, client, 40, "1.6") {
		if err == nil {
			continue
		}

		wantUnavailable(t, err)

		if errors.Is(err, goredis.ErrPoolTimeout) {
			waited++
		}
	}

	if waited < 30 || client.State() != redis.StateClosed {
		t.Errorf("%d got no connection, the breaker is %s", waited, client.State())
	}
}

// dials counts what is dialed at once, and makes it take its time.
type dials struct{ now, most, all atomic.Int64 }

func (d *dials) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		d.all.Add(1)

		now := d.now.Add(1)
		defer d.now.Add(-1)

		for most := d.most.Load(); now > most && !d.most.CompareAndSwap(most, now); most = d.most.Load() {
		}

		time.Sleep(50 * time.Millisecond)

		return next(ctx, network, addr)
	}
}

func (*dials) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (*dials) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func TestDialsAreBounded(t *testing.T) {
	t.Parallel()

	atOnce, size := int64(8*runtime.GOMAXPROCS(0)), 32*runtime.GOMAXPROCS(0)
	client := open(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: 20 * time.Second}.WithDefaults()})

	var d dials

	client.AddHook(&d)

	if err := errors.Join(busy(t, client, 4*size, "0.3")...); err != nil {
		t.Error(err)
	}

	if d.most.Load() > atOnce || d.all.Load() <= atOnce {
		t.Errorf("%d dials, %d at once", d.all.Load(), d.most.Load())
	}
}
