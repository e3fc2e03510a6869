package cache_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/testkit/cachetest"
)

func memory(tb testing.TB, maxBytes int64) *cache.Memory {
	tb.Helper()

	m, err := cache.NewMemory(maxBytes)
	if err != nil {
		tb.Fatal(err)
	}

	return m
}

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	cachetest.Run(t, func(tb testing.TB) (a, b cache.Store) {
		tb.Helper()

		m := memory(tb, 64<<20)

		return m, m
	})
}

func TestLargeAnswersAreNotKept(t *testing.T) {
	t.Parallel()

	const maxBytes = 1 << 20

	u := cachetest.User{TB: t, Store: memory(t, maxBytes)}
	u.Puts("fits", cachetest.Entry(strings.Repeat("a", maxBytes/16-2000)), u.Now("fits"), time.Hour, true)
	u.Puts("large", cachetest.Entry(strings.Repeat("a", maxBytes/16)), u.Now("large"), time.Hour, false)
	u.Finds("large", "")

	u.Store = memory(t, 1<<30)
	u.Puts("fits", cachetest.Entry(strings.Repeat("a", 1<<20-2000)), u.Now("fits"), time.Hour, true)
	u.Puts("large", cachetest.Entry(strings.Repeat("a", 1<<20)), u.Now("large"), time.Hour, false)
}

// What a Memory forgets about tags makes answers obsolete, never the other way round.
func TestForgottenTagsMakeAnswersObsolete(t *testing.T) {
	t.Parallel()

	u := cachetest.User{TB: t, Store: memory(t, 64<<10)}
	begun := u.Now("k")
	u.Puts("untagged", cachetest.Entry("1"), begun, time.Hour, true)
	u.Puts("tagged", cachetest.Entry("2", "quiet"), begun, time.Hour, true)
	u.Invalidates("t")

	for i := range 1000 {
		u.Invalidates(fmt.Sprintf("flood-%d", i))
	}

	u.Puts("raced", cachetest.Entry("3", "t"), begun, time.Hour, false)
	u.WantsChanged(begun, true, "t")
	u.Finds("untagged", "1")
	u.Finds("tagged", "")

	u.Puts("new", cachetest.Entry("4", "t"), u.Now("new"), time.Hour, true)
	u.Invalidates("other")
	u.Finds("new", "4")
}

// It does not run beside others, whose memory would be counted.
func TestMemoryHoldsItsBound(t *testing.T) {
	const mib = 1 << 20

	tests := []struct {
		name     string
		maxBytes int64
		body     func() int
	}{
		{"small_answers", 32 * mib, func() int { return 50 }},
		{"answers_of_a_kilobyte", 32 * mib, func() int { return 1000 }},
		{"large_answers", 64 * mib, func() int { return 200_000 }},
		{"answers_of_all_sizes", 64 * mib, func() int { return 1 << rand.IntN(20) }},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := heap()
			m := memory(t, tt.maxBytes)
			filled := int64(0)

			for i := 0; filled < 3*tt.maxBytes; i++ {
				size := tt.body()
				entry := &cache.Entry{
					Header: http.Header{
						"Content-Type": {"application/json"}, "Etag": {fmt.Sprintf("%q", fmt.Sprint("tag-", i))},
						"Vary": {"Accept-Encoding"}, "Content-Encoding": {"gzip"},
					},
					Body: make([]byte, size), Tags: []string{fmt.Sprint("order:", i)},
				}
				filled += int64(size) + 900

				if _, err := m.Put(t.Context(), cachetest.Key(fmt.Sprint(i)), entry, cache.Mark{}, time.Hour); err != nil {
					t.Fatal(err)
				}

				if err := m.Invalidate(t.Context(), []string{fmt.Sprint("tag:", i)}); err != nil {
					t.Fatal(err)
				}
			}

			used := heap() - before
			ratio := float64(used) / float64(tt.maxBytes)
			t.Logf("%.2f of the bound are used", ratio)

			if ratio > 1.3 || ratio < 0.4 {
				t.Errorf("uses %d bytes, bound is %d", used, tt.maxBytes)
			}

			runtime.KeepAlive(m)
		})
	}
}

func heap() int64 {
	var stats runtime.MemStats

	// The second one finishes what the first has found.
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)

	return int64(stats.HeapAlloc)
}
