package observe_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// The first sample of a kind finds its metric by its labels; all others cost what counting costs.
func BenchmarkObserve(b *testing.B) {
	m := observe.NewMetrics(config.Metrics{})
	rec := &reqinfo.Record{Template: "/v1/users/{user_id}"}

	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()

		for b.Loop() {
			m.RequestStarted()()
			m.ObserveRequest(http.MethodGet, rec, http.StatusOK, time.Millisecond)
		}
	})
	b.Run("call", func(b *testing.B) {
		b.ReportAllocs()

		for b.Loop() {
			m.ObserveCall(upstream.CallResult{Upstream: "user", RPC: "/user.v1.UserService/GetUser", Took: time.Millisecond})
		}
	})
}

// Samples of many kinds from many goroutines are all counted, each with its own.
func TestSamplesAtTheSameTime(t *testing.T) {
	t.Parallel()

	const kinds, rounds = 20, 50

	m := observe.NewMetrics(config.Metrics{})

	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for n := range kinds * rounds {
				m.ObserveCall(upstream.CallResult{Upstream: "user", RPC: fmt.Sprint("/s/M", n%kinds), Took: time.Millisecond})
			}
		})
	}

	wait.Wait()

	samples := scrape(t, m, "portico_upstream_calls_total")
	if len(samples) != kinds {
		t.Fatalf("%d kinds: %q", len(samples), samples)
	}

	for _, sample := range samples {
		if !strings.HasSuffix(sample, " 400") {
			t.Errorf("got %s", sample)
		}
	}
}

//nolint:paralleltest // Allocations of other tests would be counted.
func TestObservingAllocatesNothing(t *testing.T) {
	m := observed()
	allowed, refused := m.RateLimit(rpcGetOrder, "writes", "principal")
	rec := refusedBy("/a", reqinfo.ReasonBreaker)
	call := upstream.CallResult{Upstream: "order", RPC: rpcGetOrder, Took: time.Millisecond, Retries: 1, Hedge: upstream.HedgeWon}

	got := testing.AllocsPerRun(100, func() {
		m.RequestStarted()()
		m.ObserveRequest("GET", rec, 503, time.Millisecond)
		m.ObserveCall(call)
		m.ObserveRefusedCall("order", rpcGetOrder, reqinfo.ReasonBreaker)
		allowed()
		refused()
		m.ObserveCache(rpcGetOrder, "hit")
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
