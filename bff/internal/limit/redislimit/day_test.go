package redislimit

import (
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// With days of two seconds nobody has to wait for midnight.
func TestQuotaIsFullAgainAtTheEndOfTheDay(t *testing.T) {
	t.Parallel()

	const day = 2 * time.Second

	client, err := redis.Open(redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: 10 * time.Second}.WithDefaults()}, redis.Observer{})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = client.Close() })

	s := New(client)
	s.day = day

	requests := []limit.Request{{Rate: limit.Rate{Requests: 3, Daily: true}, Cost: 1}}
	allowed := map[int64]int{} // by the end of the day

	for ; len(allowed) < 3; time.Sleep(10 * time.Millisecond) {
		decisions, err := s.Take(t.Context(), requests)
		if err != nil {
			t.Fatal(err)
		}

		d := decisions[0]
		end := time.Now().Add(d.ResetAfter).Round(day).UnixNano()

		if d.Allowed {
			allowed[end]++
		} else if d.RetryAfter > day || d.RetryAfter != d.ResetAfter {
			t.Errorf("got %+v", d)
		}
	}

	for _, n := range allowed {
		if n > 3 {
			t.Errorf("%d of 3 allowed in one of the days: %v", n, allowed)
		}
	}
}
