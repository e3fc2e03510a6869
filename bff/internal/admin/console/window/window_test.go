package window_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/admin/console/window"
)

var (
	bounds = []float64{.001, .01, .1, 1}
	order  = window.Route{Method: "GET", Path: "/v1/orders"}
)

// requests are totals with some that took 5 ms, and some failed ones that took 5 s.
func requests(fast, failed uint64) window.Totals {
	all := fast + failed

	return window.Totals{
		Bounds: bounds,
		Routes: map[window.Route]window.Timed{order: {
			Count: float64(all), Errors: float64(failed), Buckets: []uint64{0, fast, fast, fast}, Observed: all,
		}},
	}
}

func TestRatesOfSpans(t *testing.T) {
	t.Parallel()

	w := window.New(time.Minute)
	start := time.Unix(0, 0)

	if got := w.Last(time.Minute); len(got.Routes()) != 0 || got.Route(order) != (window.Rates{}) {
		t.Error("something happened before there was a sample")
	}

	// Ten a second; in the last ten seconds, half of them fail.
	var fast, failed uint64

	for second := range 101 {
		w.Add(start.Add(time.Duration(second)*time.Second), requests(fast, failed))

		fast += 10
		if second >= 90 {
			fast, failed = fast-5, failed+5
		}
	}

	short, long := w.Last(10*time.Second).Route(order), w.Last(time.Minute).Route(order)
	if short.PerSecond != 10 || short.ErrorShare != .5 || long.PerSecond != 10 || math.Abs(long.ErrorShare-50./600) > 1e-9 {
		t.Errorf("10 s: %+v, 1 min: %+v", short, long)
	}

	// All of the fast ones are between 1 and 10 ms; the others count as the last bound.
	if math.Abs(short.P50-.01) > 1e-9 || short.P95 != 1 || short.P99 != 1 {
		t.Errorf("10 s: %+v", short)
	}

	if want := .001 + .009*300/550; math.Abs(long.P50-want) > 1e-9 || long.P99 != 1 {
		t.Errorf("1 min: %+v, the median should be %v", long, want)
	}
}

func TestYoungWindow(t *testing.T) {
	t.Parallel()

	w := window.New(time.Minute)
	w.Add(time.Unix(0, 0), requests(100, 0))

	if got := w.Last(time.Minute).Route(order); got != (window.Rates{}) {
		t.Errorf("with one sample: %+v", got)
	}

	w.Add(time.Unix(2, 0), requests(104, 0))

	if got := w.Last(time.Minute).Route(order); got.PerSecond != 2 {
		t.Errorf("after two seconds: %+v", got)
	}
}

// A route that was first called after the first sample has no buckets in it.
func TestNewRoute(t *testing.T) {
	t.Parallel()

	w := window.New(time.Minute)
	w.Add(time.Unix(0, 0), window.Totals{Bounds: bounds})
	w.Add(time.Unix(1, 0), requests(3, 0))

	span := w.Last(time.Minute)
	if got := span.Route(order); got.PerSecond != 3 || got.P99 <= .001 || got.P99 > .01 {
		t.Errorf("%+v", got)
	}

	if diff := cmp.Diff([]window.Route{order}, span.Routes()); diff != "" {
		t.Error(diff)
	}
}

func TestLimitsCachesAndOverload(t *testing.T) {
	t.Parallel()

	limit, quiet := window.Limit{RPC: "a.B.C", Name: "write", Key: "principal"}, window.Limit{Name: "limits.client", Key: "client"}
	w := window.New(time.Minute)
	w.Add(time.Unix(0, 0), window.Totals{Caches: map[string]window.Cached{"idle": {Hits: 7}}})
	w.Add(time.Unix(10, 0), window.Totals{
		Limits:  map[window.Limit]window.Decisions{limit: {Allowed: 40, Refused: 20}, quiet: {Allowed: 60}},
		Caches:  map[string]window.Cached{"idle": {Hits: 7}, "used": {Hits: 30, Misses: 10, Bypasses: 5}},
		Refused: window.Refused{CPU: 10, Requests: 20, Streams: 30},
	})

	span := w.Last(10 * time.Second)
	if diff := cmp.Diff(map[window.Limit]window.Decisions{limit: {Allowed: 40, Refused: 20}}, span.Limits()); diff != "" {
		t.Error(diff)
	}

	if got := span.Limit(limit); got != (window.Decisions{Allowed: 4, Refused: 2}) {
		t.Errorf("%+v", got)
	}

	if diff := cmp.Diff(map[string]window.Cached{"used": {Hits: 3, Misses: 1, Bypasses: .5}}, span.Caches()); diff != "" {
		t.Error(diff)
	}

	if got := span.Refused(); got != (window.Refused{CPU: 1, Requests: 2, Streams: 3}) {
		t.Errorf("%+v", got)
	}
}
