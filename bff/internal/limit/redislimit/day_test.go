package redislimit

import (
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/redisconn"
	"github.com/portico-gateway/portico/bff/internal/redisconn/redistest"
)

// With days of two seconds nobody has to wait for midnight.
func TestQuotaIsFullAgainAtTheEndOfTheDay(t *testing.T) {
	t.Parallel()

	const day = 2 * time.Second

	client, err := redisconn.Open(redisconn.Config{URL: redistest.Start(t).URL(), Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = client.Close() })

	s := New(client)
	s.day = day

	requests := []limit.Request{{Rate: limit.Rate{Requests: 3, Daily: true}, Cost: 1}}
	start, allowed, ends := time.Now(), 0, 0

	for refused := false; ends < 2; time.Sleep(10 * time.Millisecond) {
		decisions, err := s.Take(t.Context(), requests)
		if err != nil {
			t.Fatal(err)
		}

		switch d := decisions[0]; {
		case d.Allowed && refused:
			allowed, ends, refused = 1, ends+1, false
		case d.Allowed:
			allowed++
		default:
			refused = true

			if d.RetryAfter > day || d.RetryAfter != d.ResetAfter {
				t.Errorf("got %+v", d)
			}
		}

		if allowed > 3 {
			t.Fatalf("%d allowed in a day of %s", allowed, time.Since(start))
		}
	}
}
