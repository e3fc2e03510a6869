package limit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/limit"
)

// What was taken stays taken while the memory gets another size, whoever takes at the same time.
func TestResizeForgetsNothing(t *testing.T) {
	t.Parallel()

	const (
		keys    = 40
		size    = 50
		takers  = 4
		resizes = 200
	)

	var (
		memory  = limit.NewMemory(1000)
		hourly  = limit.Rate{Requests: size, Per: 1000 * time.Hour}
		daily   = limit.Rate{Requests: 1 << 30, Daily: true}
		allowed [keys]atomic.Int64
		running sync.WaitGroup
		over    atomic.Bool
	)

	for range takers {
		running.Go(func() {
			for i := 0; !over.Load(); i++ {
				key := i % keys
				// Two limits in one request, and one alone.
				requests := []limit.Request{
					{Key: limit.Key{Limit: "hourly", Subject: string(rune('A' + key))}, Rate: hourly, Cost: 1},
					{Key: limit.Key{Limit: "daily", Subject: string(rune('A' + key))}, Rate: daily, Cost: 1},
				}[:1+i/keys%2]

				decisions, err := memory.Take(t.Context(), requests)
				if err != nil {
					t.Error(err)
				}

				if decisions[0].Allowed {
					allowed[key].Add(1)
				}
			}
		})
	}

	for i := range resizes {
		memory.Resize(1000 + 100*(i%3))
	}

	over.Store(true)
	running.Wait()

	for key := range allowed {
		if n := allowed[key].Load(); n > size {
			t.Errorf("key %d got %d of %d", key, n, size)
		}
	}

	memory.Resize(16)

	if n := memory.Len(); n > 2*16 {
		t.Errorf("%d buckets after the memory has become small", n)
	}
}
