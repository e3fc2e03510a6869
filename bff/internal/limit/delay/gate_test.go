package delay_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/limit/delay"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const target = 5 * time.Millisecond

// gated is a running gate, whose delay the test sets.
type gated struct {
	*delay.Gate

	measured atomic.Int64
	stalled  atomic.Bool
	// sparse is how many ticks a measurement takes beyond the first.
	sparse atomic.Int64
	log    bytes.Buffer
}

func run(t *testing.T) *gated {
	t.Helper()
	return runFor(t, target)
}

func runFor(t *testing.T, target time.Duration) *gated {
	t.Helper()

	g := &gated{}
	ticks := int64(0)
	g.Gate = delay.New(target, delay.Deps{
		Logger: slog.New(slog.NewJSONHandler(&g.log, nil)),
		Measure: func() (delay.Measurement, bool) {
			if ticks++; ticks <= g.sparse.Load() {
				return delay.Measurement{}, false
			}

			ticks = 0

			return delay.Measurement{Waited: time.Duration(g.measured.Load()), Queued: !g.stalled.Load()}, true
		},
	})

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})

	go func() {
		defer close(ended)

		g.Run(ctx)
	}()

	t.Cleanup(func() {
		stop()
		<-ended
	})

	return g
}

// is sets the delay for so long.
func (g *gated) is(delay, length time.Duration) {
	g.measured.Store(int64(delay))
	time.Sleep(length)
	synctest.Wait()
}

// refused is how many of 1000 requests of a priority are refused.
func (g *gated) refused(t *testing.T, priority porticov1.Priority) int {
	t.Helper()

	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	handler := g.Handler(func(*http.Request) porticov1.Priority { return priority })(
		status(http.StatusServiceUnavailable), status(http.StatusOK))

	count := 0

	for range 1000 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))

		if w.Code == http.StatusServiceUnavailable {
			g.CountRefusal()

			count++
		}
	}

	return count
}

const (
	low      = porticov1.Priority_PRIORITY_LOW
	normal   = porticov1.Priority_PRIORITY_NORMAL
	critical = porticov1.Priority_PRIORITY_CRITICAL
)

func TestNothingIsRefusedUnlessTheDelayStaysTooLong(t *testing.T) {
	t.Parallel()

	for name, delays := range map[string]func(g *gated){
		"no_delay": func(g *gated) { g.is(0, time.Second) },
		"burst":    func(g *gated) { g.is(time.Second, 90*time.Millisecond) },
		"stalls":   func(g *gated) { g.stalled.Store(true); g.is(time.Second, time.Minute) },
		"queue":    func(g *gated) { g.is(2*target, time.Minute) },
		"each_pause": func(g *gated) {
			g.is(time.Second, 90*time.Millisecond)
			g.is(0, 10*time.Millisecond)
			g.is(time.Second, 90*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				g := run(t)
				delays(g)

				if got := g.refused(t, normal); got > 0 {
					t.Errorf("%d requests of 1000 were refused", got)
				}

				if g.log.Len() > 0 {
					t.Errorf("logged: %s", &g.log)
				}
			})
		})
	}
}

func TestDelayThatStaysTooLong(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		g := run(t)
		g.is(10*target, 150*time.Millisecond)

		if got := g.refused(t, normal); got < 300 {
			t.Errorf("%d requests of 1000 were refused, too few", got)
		}

		g.is(10*target, 2*time.Second)

		if got := g.refused(t, normal); got < 1000 {
			t.Errorf("%d requests of 1000 were refused; the delay does not fall", got)
		}

		g.is(0, 2*time.Second)

		if got := g.refused(t, normal); got > 0 {
			t.Errorf("%d requests of 1000 were refused after the overload", got)
		}

		if got := strings.Count(g.log.String(), "\n"); got != 1 || !strings.Contains(g.log.String(), `"level":"WARN","msg":"overloaded`) {
			t.Errorf("logged: %s", &g.log)
		}

		before := g.Refused()
		g.is(0, 10*time.Second)

		if got := g.log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"no longer overloaded"`) {
			t.Errorf("logged: %s", got)
		}

		if got := g.Refused(); got != before || got < 1300 {
			t.Errorf("%d refusals were counted", got)
		}
	})
}

// A gateway that has little to do after an overload, and so measures rarely, serves all requests as soon. Once, it went on to
// refuse some for ten seconds.
func TestShareFallsWithFewMeasurements(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		g := run(t)
		g.is(10*target, 2*time.Second)

		if got := g.refused(t, normal); got < 1000 {
			t.Errorf("%d requests of 1000 were refused; the delay does not fall", got)
		}

		g.sparse.Store(9)
		g.is(0, time.Second+200*time.Millisecond)

		if got := g.refused(t, normal); got > 0 {
			t.Errorf("%d requests of 1000 were refused after the overload", got)
		}
	})
}

// While the requests of one priority keep the delay at its target, all of the lower ones are refused and none of the higher ones.
func TestLowerPrioritiesAreRefusedFirst(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		g := run(t)
		g.is(6*target, 200*time.Millisecond)
		g.is(target, 5*time.Second)

		if got := g.refused(t, low); got < 1000 {
			t.Errorf("low: %d of 1000 were refused", got)
		}

		if got := g.refused(t, normal); got < 100 || got > 900 {
			t.Errorf("normal: %d of 1000 were refused", got)
		}

		if got := g.refused(t, critical); got > 0 {
			t.Errorf("critical: %d of 1000 were refused", got)
		}
	})
}

// A target that is too long for any refusal makes no difference to it.
func TestLongestDelay(t *testing.T) {
	t.Parallel()

	for name, target := range map[string]time.Duration{"target": target, "no_refusals": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testLongestDelay(t, target)
		})
	}
}

func testLongestDelay(t *testing.T, target time.Duration) {
	t.Helper()

	synctest.Test(t, func(t *testing.T) {
		g := runFor(t, target)
		start := time.Now()

		g.is(8*time.Millisecond, time.Second)
		g.is(time.Second, 10*time.Millisecond)
		g.is(6*time.Millisecond, time.Second)

		for since, want := range map[time.Time]time.Duration{
			start:                            time.Second,
			time.Now().Add(-time.Second / 2): 6 * time.Millisecond,
			time.Now():                       6 * time.Millisecond,
			time.Now().Add(time.Second):      0,
			start.Add(-time.Hour):            time.Second,
		} {
			if got := g.Longest(since); got != want {
				t.Errorf("since %v: got %v, want %v", since.Sub(start), got, want)
			}
		}

		if got := g.Current(); got != 6*time.Millisecond {
			t.Errorf("the current delay is %v", got)
		}

		// What is too short is no delay, and what is too long ago is forgotten.
		g.is(time.Millisecond, time.Minute)

		if got := g.Longest(start); got != 0 {
			t.Errorf("a minute later: got %v", got)
		}
	})
}
