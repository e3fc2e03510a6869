package delay

import (
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()

	buckets := []float64{math.Inf(-1), 0, 0.001, 0.002, 0.004, math.Inf(1)}

	for name, tt := range map[string]struct {
		counts []uint64
		want   time.Duration
	}{
		"nothing":       {[]uint64{0, 0, 0, 0, 0}, 0},
		"no_wait":       {[]uint64{0, 100, 0, 0, 0}, time.Millisecond},
		"in_a_hundred":  {[]uint64{0, 99, 0, 1, 0}, time.Millisecond},
		"in_ninety":     {[]uint64{0, 89, 0, 1, 0}, 4 * time.Millisecond},
		"no_upper_edge": {[]uint64{0, 0, 0, 0, 10}, 4 * time.Millisecond},
	} {
		if got := quantile(&metrics.Float64Histogram{Counts: tt.counts, Buckets: buckets}); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// It measures the scheduler of this very process: goroutines that all want to run wait for one another.
func TestLatenciesOfTheScheduler(t *testing.T) {
	t.Parallel()

	l := newLatencies()
	stop := make(chan struct{})
	defer close(stop)

	for range 4 * queuePerCPU * runtime.GOMAXPROCS(0) {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
				}

				for range 10_000 {
					runtime.KeepAlive(l)
				}

				runtime.Gosched()
			}
		}()
	}

	for range 10_000 {
		runtime.Gosched()

		if m, ok := l.next(); ok && m.Waited > 0 && m.Queued {
			return
		}
	}

	t.Error("no delay was measured")
}

// It measures even if little happens, but not each time.
func TestLatenciesOfAnIdleProcess(t *testing.T) {
	t.Parallel()

	l := newLatencies()

	for range maxCalls {
		if _, ok := l.next(); ok {
			return
		}
	}

	t.Errorf("no measurement after %d calls", maxCalls)
}

func BenchmarkMeasure(b *testing.B) {
	l := newLatencies()

	b.ReportAllocs()

	for b.Loop() {
		l.next()
	}
}
