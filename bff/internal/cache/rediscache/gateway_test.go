package rediscache_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/cache/rediscache"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// backend is what gateways fetch from: a value that is written and read.
type backend struct {
	value, calls atomic.Int64
	takes        time.Duration
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.calls.Add(1)

	value := b.value.Load()

	time.Sleep(b.takes)
	cache.Tag(r.Context(), []string{"value"}, true)
	_, _ = fmt.Fprint(w, value)
}

// front is a gateway in front of the backend.
type front struct {
	*cache.Cache
	http.Handler
}

func newFront(tb testing.TB, server *redistest.Server, timeout time.Duration, b *backend) front {
	tb.Helper()

	store := rediscache.New(client(tb, server, timeout))
	tb.Cleanup(func() { _ = store.Close() })

	c := cache.New(store, nil)
	tb.Cleanup(c.Close)

	rule := cache.Rule{RPC: "/a.B/C", Timeout: time.Minute, Cache: policy.Cache{TTL: time.Hour, Tags: make([]policy.Tag, 1)}}

	return front{c, c.Route(rule)(b)}
}

func (f front) get(tb testing.TB) (value int64, status string) {
	tb.Helper()

	r := httptest.NewRequestWithContext(reqinfo.NewContext(tb.Context(), &reqinfo.Record{}), http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)

	if _, err := fmt.Sscan(w.Body.String(), &value); err != nil {
		tb.Errorf("got %d %s", w.Code, w.Body)
	}

	return value, w.Header().Get("Cache-Status")
}

func (f front) wants(tb testing.TB, value int64, status string) {
	tb.Helper()

	if got, how := f.get(tb); got != value || how != status {
		tb.Errorf("got %d, %s; want %d, %s", got, how, value, status)
	}
}

const (
	miss   = "portico; fwd=uri-miss; stored"
	bypass = "portico; fwd=bypass; detail=store-unavailable"
)

func TestGatewaysShareAnswersAndInvalidations(t *testing.T) {
	t.Parallel()

	server, back := redistest.Start(t), &backend{}
	a, b := newFront(t, server, patient, back), newFront(t, server, patient, back)

	a.wants(t, 0, miss)

	if value, status := b.get(t); value != 0 || back.calls.Load() != 1 {
		t.Errorf("got %d, %s; %d calls", value, status, back.calls.Load())
	}

	back.value.Store(1)

	if err := b.Invalidate(t.Context(), []string{"value"}); err != nil {
		t.Fatal(err)
	}

	a.wants(t, 1, miss)
}

// Each gateway writes and reads, and none reads less than what any of them has acknowledged.
func TestReadersOfAllGatewaysSeeWhatWasWrittenBefore(t *testing.T) {
	t.Parallel()

	const writes = 200

	server, back := redistest.Start(t), &backend{takes: time.Millisecond}
	fronts := []front{newFront(t, server, patient, back), newFront(t, server, patient, back)}

	var (
		acknowledged atomic.Int64
		wg           sync.WaitGroup
	)

	for i := range 8 {
		wg.Go(func() {
			for {
				least := acknowledged.Load()

				if got, status := fronts[i%2].get(t); got < least {
					t.Errorf("got %d, %s after %d was acknowledged", got, status, least)
				}

				if least == writes || t.Failed() {
					return
				}
			}
		})
	}

	for i := range writes {
		back.value.Add(1)

		if err := fronts[i%2].Invalidate(t.Context(), []string{"value"}); err != nil {
			t.Error(err)
		}

		acknowledged.Add(1)
		time.Sleep(time.Millisecond)
	}

	wg.Wait()
}

func TestOutageOfRedisCostsNoAnswers(t *testing.T) {
	t.Parallel()

	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			const many = 100

			server, back := redistest.Start(t), &backend{takes: 20 * time.Millisecond}
			f := newFront(t, server, 100*time.Millisecond, back)

			eventually(t, "stored", func() bool {
				_, status := f.get(t)

				return status == miss
			})
			outage.begin(server)

			start := time.Now()
			eventually(t, "noticed", func() bool {
				_, status := f.get(t)

				return status == bypass
			})

			// Requests at the same time still share a call, or a few: those that come later need a later one.
			before := back.calls.Load()

			var wg sync.WaitGroup
			for range many {
				wg.Go(func() { f.get(t) })
			}

			wg.Wait()

			if calls := back.calls.Load() - before; calls > many/4 {
				t.Errorf("%d calls for %d requests", calls, many)
			}

			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %s", took)
			}

			// A write is not lost on who reads here, neither now nor when Redis is back.
			back.value.Store(1)

			if err := f.Invalidate(t.Context(), []string{"value"}); err == nil {
				t.Error("invalidation: got no error")
			}

			f.wants(t, 1, bypass)
			outage.end(server)
			eventually(t, "stored again", func() bool {
				value, status := f.get(t)
				if value != 1 {
					t.Fatalf("got %d, %s", value, status)
				}

				return status == miss
			})
		})
	}
}
