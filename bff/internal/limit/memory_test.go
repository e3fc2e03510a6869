package limit_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/limit"
)

func key(name string) limit.Key { return limit.Key{Limit: "test", Subject: name} }

// one takes one token.
func one(key limit.Key, rate limit.Rate) limit.Request {
	return limit.Request{Key: key, Rate: rate, Cost: 1}
}

// timeIs returns a clock that has stopped.
func timeIs(t time.Time) func() time.Time { return func() time.Time { return t } }

// Once, a request that was held up between asking for the time and its turn was refused, though the bucket was nearly full.
func TestTimeIsThatOfTheTurn(t *testing.T) {
	t.Parallel()

	l := limit.NewMemory(100)
	rate := limit.Rate{Requests: 1000, Per: time.Second}
	start := time.Now()

	var (
		others sync.WaitGroup
		turns  atomic.Int32
	)

	first := l.Allow(one(key("a"), rate), func() time.Time {
		others.Go(func() {
			l.Allow(one(key("a"), rate), func() time.Time {
				turns.Add(1)

				return start.Add(time.Minute)
			})
		})

		for range 100 {
			runtime.Gosched()
		}

		if turns.Load() != 0 {
			t.Error("another request had its turn meanwhile")
		}

		return start
	})

	others.Wait()

	if !first.Allowed || turns.Load() != 1 {
		t.Errorf("got %+v; %d others", first, turns.Load())
	}
}

func TestAllowSequence(t *testing.T) {
	t.Parallel()

	type step struct {
		at   time.Duration
		want limit.Decision
	}

	const ms = time.Millisecond

	tests := []struct {
		name  string
		rate  limit.Rate
		steps []step
	}{
		{"burst_then_steady", limit.Rate{Requests: 10, Per: time.Second, Burst: 2}, []step{
			{0, limit.Decision{Allowed: true, Limit: 2, Remaining: 1, ResetAfter: 100 * ms}},
			{0, limit.Decision{Allowed: true, Limit: 2, Remaining: 0, ResetAfter: 200 * ms}},
			{0, limit.Decision{Allowed: false, Limit: 2, Remaining: 0, ResetAfter: 200 * ms, RetryAfter: 100 * ms}},
			{99 * ms, limit.Decision{Allowed: false, Limit: 2, Remaining: 0, ResetAfter: 101 * ms, RetryAfter: ms}},
			{100 * ms, limit.Decision{Allowed: true, Limit: 2, Remaining: 0, ResetAfter: 200 * ms}},
			{200 * ms, limit.Decision{Allowed: true, Limit: 2, Remaining: 0, ResetAfter: 200 * ms}},
			{400 * ms, limit.Decision{Allowed: true, Limit: 2, Remaining: 1, ResetAfter: 100 * ms}},
		}},
		{"refused_requests_cost_nothing", limit.Rate{Requests: 1, Per: time.Second}, []step{
			{0, limit.Decision{Allowed: true, Limit: 1, ResetAfter: time.Second}},
			{500 * ms, limit.Decision{Limit: 1, ResetAfter: 500 * ms, RetryAfter: 500 * ms}},
			{900 * ms, limit.Decision{Limit: 1, ResetAfter: 100 * ms, RetryAfter: 100 * ms}},
			{time.Second, limit.Decision{Allowed: true, Limit: 1, ResetAfter: time.Second}},
		}},
		{"burst_defaults_to_requests", limit.Rate{Requests: 3, Per: 3 * time.Second}, []step{
			{0, limit.Decision{Allowed: true, Limit: 3, Remaining: 2, ResetAfter: time.Second}},
		}},
		{"largest_burst_does_not_overflow", limit.Rate{Requests: 1, Per: 31 * 24 * time.Hour, Burst: 1<<31 - 1}, []step{
			{0, limit.Decision{Allowed: true, Limit: 1<<31 - 1, Remaining: 859, ResetAfter: 31 * 24 * time.Hour}},
		}},
		{"clock_set_back_costs_one_burst_at_most", limit.Rate{Requests: 10, Per: time.Second, Burst: 2}, []step{
			{time.Hour, limit.Decision{Allowed: true, Limit: 2, Remaining: 1, ResetAfter: 100 * ms}},
			{0, limit.Decision{Limit: 2, ResetAfter: 200 * ms, RetryAfter: 100 * ms}},
			{-time.Hour, limit.Decision{Limit: 2, ResetAfter: 200 * ms, RetryAfter: 100 * ms}},
		}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			l := limit.NewMemory(100_000)
			start := time.Now().Add(time.Second)

			for i, s := range tt.steps {
				if diff := cmp.Diff(s.want, l.Allow(one(key("a"), tt.rate), timeIs(start.Add(s.at)))); diff != "" {
					t.Errorf("step %d: %s", i, diff)
				}
			}
		})
	}
}

// Over any time T no more than burst + rate*T requests are allowed; and a caller that asks often is hardly kept below the rate.
func TestNeverMoreThanBurstAndRate(t *testing.T) {
	t.Parallel()

	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0)) // Seeded, so that a failure can be repeated.
		rate := limit.Rate{
			Requests: 1 + random.Int64N(2000),
			Per:      time.Duration(1 + random.Int64N(int64(time.Minute))),
			Burst:    1 + random.Int64N(50),
		}
		interval := rate.Per/time.Duration(rate.Requests) + 1
		pause := interval/8 + 1 // At most, between two requests.
		l, now, allowed, begin := limit.NewMemory(100), time.Now(), int64(0), time.Time{}

		for range 5000 {
			if l.Allow(one(key("a"), rate), timeIs(now)).Allowed {
				if allowed++; allowed == 1 {
					begin = now
				}

				span := now.Sub(begin)
				most := float64(rate.Burst) + span.Seconds()*float64(rate.Requests)/rate.Per.Seconds()

				if float64(allowed) > most+1e-6 {
					t.Fatalf("seed %d, %+v: %d allowed in %s, at most %f", seed, rate, allowed, span, most)
				}
			}

			now = now.Add(time.Duration(random.Int64N(int64(pause))))
		}

		if least := int64(now.Sub(begin) / (interval + pause)); allowed < least {
			t.Errorf("seed %d, %+v: only %d allowed, want %d", seed, rate, allowed, least)
		}
	}
}

func TestFloodOfNewKeysLeavesABusyKeyLimited(t *testing.T) {
	t.Parallel()

	rate := limit.Rate{Requests: 1, Per: time.Second, Burst: 5}

	for _, maxKeys := range []int{2, 16, 17, 1000, 4096} {
		t.Run(strconv.Itoa(maxKeys), func(t *testing.T) {
			t.Parallel()

			l, now := limit.NewMemory(maxKeys), time.Now()
			for l.Allow(one(key("busy"), rate), timeIs(now)).Allowed {
			}

			for i := range 10 * maxKeys {
				if !l.Allow(one(key(strconv.Itoa(i)), rate), timeIs(now)).Allowed {
					t.Fatalf("key %d was refused its first request", i)
				}

				if got := l.Len(); got > maxKeys {
					t.Fatalf("%d keys, at most %d", got, maxKeys)
				}
			}

			if l.Allow(one(key("busy"), rate), timeIs(now)).Allowed {
				t.Error("the flood has reset the bucket of the busy key")
			}
		})
	}
}

func TestFullBucketsGiveWayFirst(t *testing.T) {
	t.Parallel()

	const maxKeys = 1 << 12

	rate := limit.Rate{Requests: 1, Per: time.Second}
	l, now := limit.NewMemory(maxKeys), time.Now()

	for i := range maxKeys {
		l.Allow(one(key("old"+strconv.Itoa(i)), rate), timeIs(now))
	}

	now = now.Add(time.Minute) // All of them are full again.

	const live = maxKeys / 4

	for i := range live {
		l.Allow(one(key("new"+strconv.Itoa(i)), rate), timeIs(now))
	}

	forgotten := 0

	for i := range live {
		if l.Allow(one(key("new"+strconv.Itoa(i)), rate), timeIs(now)).Allowed {
			forgotten++
		}
	}

	if forgotten > live/100 {
		t.Errorf("%d of %d live keys were forgotten while 3 of 4 places were free to take", forgotten, live)
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	var stats runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&stats)

	return int64(stats.HeapAlloc)
}

// Once, the memory for all keys was taken for the first one.
func TestMemoryGrowsWithKeys(t *testing.T) { //nolint:paralleltest // It measures the heap.
	const most = 4 << 20

	before := heap()
	l, now := limit.NewMemory(1_000_000), time.Now()

	for i := range 1000 {
		l.Allow(one(key(strconv.Itoa(i)), limit.Rate{Requests: 1, Per: time.Hour}), timeIs(now))
	}

	if took := heap() - before; took > most {
		t.Errorf("%d bytes for 1000 keys, want at most %d", took, most)
	}

	if got := l.Len(); got != 1000 {
		t.Errorf("%d keys, want 1000", got)
	}
}

func TestMillionKeysFitIn64MB(t *testing.T) { //nolint:paralleltest // It measures the heap.
	const (
		million = 1_000_000
		most    = 64 << 20
	)

	before := heap()
	l, now := limit.NewMemory(million), time.Now()

	for i := range million {
		l.Allow(one(key(strconv.Itoa(i)), limit.Rate{Requests: 1, Per: time.Hour}), timeIs(now))
	}

	if took := heap() - before; took > most {
		t.Errorf("%d bytes", took)
	}

	if l.Len() < million*85/100 {
		t.Errorf("only %d places of a million are taken", l.Len())
	}

	runtime.KeepAlive(l)
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()

	const workers, each, keys, burst = 8, 2000, 20, 100

	rate := limit.Rate{Requests: 1, Per: 24 * time.Hour, Burst: burst}
	l, now := limit.NewMemory(1000), time.Now()

	var (
		wg      sync.WaitGroup
		allowed atomic.Int64
	)

	for range workers {
		wg.Go(func() {
			for i := range each {
				if l.Allow(one(key(strconv.Itoa(i%keys)), rate), timeIs(now)).Allowed {
					allowed.Add(1)
				}
			}
		})
	}

	wg.Wait()

	if got := allowed.Load(); got != keys*burst {
		t.Errorf("%d allowed, want %d", got, keys*burst)
	}
}

func BenchmarkAllow(b *testing.B) {
	for _, keys := range []int{1, 100_000} {
		names := make([]limit.Key, keys)
		for i := range names {
			names[i] = limit.Key{
				Limit: "/user.v1.UserService/GetUser#0", Issuer: "https://issuer.example", Subject: strconv.Itoa(i),
			}
		}

		rate := limit.Rate{Requests: 50, Per: time.Second, Burst: 100}

		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			l, now, i := limit.NewMemory(1_000_000), time.Now(), 0

			b.ReportAllocs()

			for b.Loop() {
				now = now.Add(time.Microsecond)
				l.Allow(one(names[i%keys], rate), timeIs(now))
				i++
			}
		})
	}

	b.Run("parallel", func(b *testing.B) {
		l, now := limit.NewMemory(100_000), time.Now()

		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			k := key(strconv.FormatUint(rand.Uint64(), 10))
			for pb.Next() {
				l.Allow(one(k, limit.Rate{Requests: 50, Per: time.Second}), timeIs(now))
			}
		})
	})
}

func BenchmarkTake(b *testing.B) {
	for _, limits := range []int{1, 3} {
		b.Run(fmt.Sprintf("limits=%d", limits), func(b *testing.B) {
			m, requests := limit.NewMemory(100_000), make([]limit.Request, limits)
			for i := range requests {
				requests[i] = one(limit.Key{Limit: strconv.Itoa(i), Subject: "ada"}, limit.Rate{Requests: 1 << 30, Per: time.Second})
			}

			b.ReportAllocs()

			for b.Loop() {
				if _, err := m.Take(b.Context(), requests); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
