package concurrency_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/concurrency"
)

// settings are the defaults of package upstream.
var settings = config.Concurrency{Min: 20, Max: 1000, Initial: 200}

// backend serves so many calls at a time, and lets the others wait. Each takes its time, a fifth more or less.
type backend struct {
	slots chan struct{}
	takes time.Duration
}

func newBackend(slots int, takes time.Duration) *backend {
	return &backend{slots: make(chan struct{}, slots), takes: takes}
}

func (b *backend) call() {
	const spread = 5

	b.slots <- struct{}{}

	time.Sleep(b.takes - b.takes/spread + rand.N(2*b.takes/spread+1))
	<-b.slots
}

// outcome of a load.
type outcome struct{ served, late, refused int }

// timeout is when callers have left.
const timeout = 500 * time.Millisecond

// drive makes calls at the rate per second, waiting for none, and returns when all have ended.
func drive(l *concurrency.Limiter, b *backend, kind string, rate int, length time.Duration) outcome {
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		out outcome
	)

	start := time.Now()

	for at := time.Duration(0); at < length; at += time.Second / time.Duration(rate) {
		time.Sleep(time.Until(start.Add(at)))
		wg.Go(func() {
			permit, ok := l.Acquire(kind, 0, time.Now())
			began := time.Now()

			if ok {
				b.call()
				permit.Done()
			}

			mu.Lock()
			defer mu.Unlock()

			switch {
			case !ok:
				out.refused++
			case time.Since(began) > timeout:
				out.late++
			default:
				out.served++
			}
		})
	}

	wg.Wait()

	return out
}

// A backend is offered twice what it can do, for half a minute, in which the limit is found.
func TestOverload(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		slots int
		takes time.Duration
	}{
		{"20_at_a_time", 20, 20 * time.Millisecond},
		{"60_at_a_time", 60, 100 * time.Millisecond},
		{"150_at_a_time", 150, 200 * time.Millisecond},
		{"more_at_a_time_than_the_limit_at_first", 300, 200 * time.Millisecond},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				l, b := concurrency.New(settings, nil), newBackend(tt.slots, tt.takes)
				capacity := tt.slots * int(time.Second/tt.takes)

				for part := range 6 {
					const seconds = 5

					out := drive(l, b, "get", 2*capacity, seconds*time.Second)
					if got := float64(out.served) / float64(seconds*capacity); got < 0.8 {
						t.Errorf("part %d: goodput is %.2f of the capacity: %+v", part, got, out)
					}
				}

				if limit, inFlight := l.Limit(); limit > 3*max(tt.slots, settings.Min) || inFlight != 0 {
					t.Errorf("the limit is %d, %d are in flight", limit, inFlight)
				}

				if out := drive(l, b, "get", capacity*8/10, 5*time.Second); out.refused+out.late > out.served/100 {
					t.Errorf("after the overload: %+v", out)
				}
			})
		})
	}
}

// A quarter of the capacity is left, and then all of it is back.
func TestDegradedBackendHeals(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l := concurrency.New(settings, nil)
		drive(l, newBackend(40, 20*time.Millisecond), "get", 1000, 10*time.Second)
		drive(l, newBackend(10, 20*time.Millisecond), "get", 1500, 10*time.Second)

		if out := drive(l, newBackend(10, 20*time.Millisecond), "get", 1500, 10*time.Second); out.served < 4000 {
			t.Errorf("degraded: %+v, want four fifths of 5000", out)
		}

		drive(l, newBackend(40, 20*time.Millisecond), "get", 1500, 5*time.Second)

		if out := drive(l, newBackend(40, 20*time.Millisecond), "get", 1500, 10*time.Second); out.refused+out.late > 0 {
			t.Errorf("healed: %+v", out)
		}
	})
}

// What has room to spare is not held up, whatever the load was before.
func TestNothingIsRefusedWithoutNeed(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		load func(l *concurrency.Limiter, b *backend) outcome
	}{
		{"many_at_once_after_a_quiet_time", func(l *concurrency.Limiter, b *backend) outcome {
			drive(l, b, "get", 20, time.Minute)

			return drive(l, b, "get", 7500, 5*time.Second)
		}},
		{"slow_methods_after_fast_ones", func(l *concurrency.Limiter, b *backend) outcome {
			drive(l, b, "get", 1000, 20*time.Second)
			b.takes *= 10

			return drive(l, b, "search", 500, 20*time.Second)
		}},
		{"a_method_that_takes_longer_from_now_on", func(l *concurrency.Limiter, b *backend) outcome {
			drive(l, b, "get", 1000, 20*time.Second)
			b.takes *= 4

			return drive(l, b, "get", 1000, 20*time.Second)
		}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				out := tt.load(concurrency.New(settings, nil), newBackend(10000, 20*time.Millisecond))
				if out.refused > 0 || out.served == 0 {
					t.Errorf("%+v", out)
				}
			})
		})
	}
}

// What takes longer for another reason than the load gets its room back, though it is slow for good.
func TestSlowForAnotherReason(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l, b := concurrency.New(settings, nil), newBackend(10000, 20*time.Millisecond)
		drive(l, b, "get", 1000, 10*time.Second)

		b.takes = 300 * time.Millisecond
		drive(l, b, "get", 1000, 30*time.Second)

		if out := drive(l, b, "get", 1000, 10*time.Second); out.refused > 0 {
			t.Errorf("half a minute later: %+v", out)
		}
	})
}

func TestPriorities(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name     string
		priority int
		want     int
	}{
		{"low", -1, 80},
		{"normal", 0, 95},
		{"critical", 1, 100},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			l := concurrency.New(config.Concurrency{Min: 100, Max: 100, Initial: 100}, nil)
			got := 0

			for range 200 {
				if _, ok := l.Acquire("get", tt.priority, time.Now()); ok {
					got++
				}
			}

			if got != tt.want {
				t.Errorf("%d of 100 were let through, want %d", got, tt.want)
			}
		})
	}
}

func TestSmallestLimitLetsEachPriorityThrough(t *testing.T) {
	t.Parallel()

	l := concurrency.New(config.Concurrency{Min: 1, Max: 1, Initial: 1}, nil)

	for priority := -1; priority <= 1; priority++ {
		permit, ok := l.Acquire("get", priority, time.Now())
		if !ok {
			t.Fatalf("priority %d is always refused", priority)
		}

		if _, ok := l.Acquire("get", 1, time.Now()); ok {
			t.Error("there is room for two")
		}

		permit.Drop()
	}
}

// What fails at once, or is given up, is not fast.
func TestDroppedCallsDoNotMoveTheLimit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l := concurrency.New(settings, func(limit int) { t.Errorf("the limit is %d now", limit) })

		for range 100 {
			var permits []concurrency.Permit

			for range 150 {
				permit, ok := l.Acquire("get", 0, time.Now())
				if !ok {
					t.Fatal("refused")
				}

				permits = append(permits, permit)
			}

			time.Sleep(time.Second)

			for _, permit := range permits {
				permit.Drop()
			}
		}
	})
}

func TestChangesAreTold(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		told := 0
		l := concurrency.New(settings, func(limit int) { told = limit })

		drive(l, newBackend(20, 20*time.Millisecond), "get", 2000, 10*time.Second)

		if limit, _ := l.Limit(); told != limit || told == settings.Initial {
			t.Errorf("the limit is %d, told was %d", limit, told)
		}
	})
}

func TestNilLimitsNothing(t *testing.T) {
	t.Parallel()

	var l *concurrency.Limiter

	permit, ok := l.Acquire("get", -1, time.Now())
	if !ok {
		t.Error("refused")
	}

	permit.Done()
	permit.Drop()

	if limit, inFlight := l.Limit(); limit != 0 || inFlight != 0 {
		t.Errorf("got %d and %d", limit, inFlight)
	}
}

func BenchmarkAcquire(b *testing.B) {
	l := concurrency.New(settings, nil)

	b.ReportAllocs()

	for b.Loop() {
		if permit, ok := l.Acquire("get", 0, time.Now()); ok {
			permit.Done()
		}
	}
}
