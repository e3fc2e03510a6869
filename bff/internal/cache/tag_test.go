package cache_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/testkit/cachetest"
)

func invalidate(tb testing.TB, c *cache.Cache, tags ...string) {
	tb.Helper()

	if err := c.Invalidate(tb.Context(), tags); err != nil {
		tb.Error(err)
	}
}

func TestInvalidationMakesAnswersObsolete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := numbered(t, tagged())
		wants(t, call{}.to(t, rt), http.StatusOK, "1", miss)
		invalidate(t, rt.Cache, "other")
		invalidate(t, rt.Cache)
		wants(t, call{}.to(t, rt), http.StatusOK, "1", hit)
		invalidate(t, rt.Cache, "other", "t")
		wants(t, call{}.to(t, rt), http.StatusOK, "2", miss)
		wants(t, call{}.to(t, rt), http.StatusOK, "2", hit)
	})
}

// A write is carried out, whether its client waits for the answer or not.
func TestInvalidationOutlivesItsClient(t *testing.T) {
	t.Parallel()

	rt := numbered(t, tagged())
	call{}.to(t, rt)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if err := rt.Invalidate(ctx, []string{"t"}); err != nil {
		t.Error(err)
	}

	wants(t, call{}.to(t, rt), http.StatusOK, "2", miss)
}

func TestAnswersWithUnknownTagsAreNotKept(t *testing.T) {
	t.Parallel()

	tests := map[string]func(ctx context.Context){
		"none":       func(context.Context) {},
		"incomplete": func(ctx context.Context) { cache.Tag(ctx, []string{"t"}, false) },
		"partly":     func(ctx context.Context) { cache.Tag(ctx, []string{"t"}, true); cache.Tag(ctx, nil, false) },
	}

	for name, tag := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			rt := serve(t, tagged(), func(_ http.ResponseWriter, r *http.Request) { tag(r.Context()) })
			for range 2 {
				w := call{}.to(t, rt)
				wants(t, w, http.StatusOK, "", "portico; fwd=uri-miss")
				wantsHeader(t, w, map[string]string{"Cache-Control": "no-store"})
			}
		})
	}

	cache.Tag(t.Context(), []string{"t"}, true) // Outside of a fetch it does nothing.
}

// Anyone who came before a write may have the answer from before. Anyone who came after it may not, and is served together with
// others.
func TestFetchThatRacesAnInvalidation(t *testing.T) {
	t.Parallel()

	fail := func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, problem.New(codes.NotFound, "not yet"), nil)
	}
	uncached := tagged()
	uncached.Cache.TTL = 0

	tests := []struct {
		name   string
		rule   cache.Rule
		answer http.HandlerFunc
		tag    string
		again  bool
		calls  int64 // Without a TTL, those who come later share a fetch only if it takes a while.
	}{
		{"its_tag", tagged(), nil, "t", true, 2},
		{"another_tag", tagged(), nil, "other", false, 1},
		{"without_ttl", uncached, nil, "t", true, 0},
		{"error_that_may_be_about_anything", tagged(), fail, "t", true, 0},
		{"untagged_rule", private(), nil, "t", false, 1},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt, release, _ := held(t, tt.rule, tt.answer)
				first := waiting(t.Context(), rt, call{})

				invalidate(t, rt.Cache, tt.tag)

				second, third := waiting(t.Context(), rt, call{}), waiting(t.Context(), rt, call{})
				close(release)

				if got := (<-first).Body.String(); got != "1" && tt.answer == nil {
					t.Errorf("first: got %s", got)
				}

				for _, w := range []*httptest.ResponseRecorder{<-second, <-third} {
					if got := w.Body.String(); (got != "1") != tt.again && tt.answer == nil {
						t.Errorf("later: got %s", got)
					}
				}

				if got := rt.calls.Load(); got != tt.calls && tt.calls > 0 || (got > 1) != tt.again {
					t.Errorf("%d calls", got)
				}
			})
		})
	}
}

// Where no tags say what a write changes, any may have changed anything.
func TestRequestsAfterAWriteShareNoFetchFromBefore(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		rule  cache.Rule
		later string
	}{
		"untagged": {private(), "2"}, "without_ttl": {coalesced(), "2"}, "tagged": {tagged(), "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt, release, _ := held(t, tt.rule, nil)
				first := waiting(t.Context(), rt, call{})

				rt.Wrote()

				later := waiting(t.Context(), rt, call{})

				release <- struct{}{}

				// The older one must not replace the newer one in the store.
				if tt.later == "2" {
					release <- struct{}{}
				}

				if got := (<-first).Code; got != http.StatusOK {
					t.Errorf("first: %d", got)
				}

				if got := (<-later).Body.String(); got != fmt.Sprint(rt.calls.Load()) {
					t.Errorf("later: got %s after %d calls", got, rt.calls.Load())
				}

				rt.wants(t, int64(tt.later[0]-'0'))
			})
		})
	}
}

// lingering is a store that has kept an answer for a while before it says so.
type lingering struct {
	cache.Store

	release chan struct{}
}

func (l lingering) Put(ctx context.Context, key cache.Key, entry *cache.Entry, begun cache.Mark, life time.Duration) (bool, error) {
	kept, err := l.Store.Put(ctx, key, entry, begun, life)
	<-l.release

	return kept, err
}

// An answer that was kept once had a flight that could still be joined, after a write had made it obsolete.
func TestWriteBetweenTheStoreAndTheEndOfTheFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rt *route

		store := lingering{memory(t, 64<<20), make(chan struct{})}
		rt = over(t, store, tagged(), func(w http.ResponseWriter, r *http.Request) {
			cache.Tag(r.Context(), []string{"t"}, true)
			_, _ = fmt.Fprint(w, rt.calls.Load())
		})

		first := waiting(t.Context(), rt, call{})

		invalidate(t, rt.Cache, "t")

		later := waiting(t.Context(), rt, call{})

		close(store.release)
		wants(t, <-first, http.StatusOK, "1", miss)
		wants(t, <-later, http.StatusOK, "2", miss)
	})
}

// Writers count up and invalidate; a reader never gets less than what was acknowledged before it asked.
func TestReadersSeeWhatWasWrittenBefore(t *testing.T) {
	t.Parallel()

	var value, acknowledged atomic.Int64

	rt := serve(t, tagged(), func(w http.ResponseWriter, r *http.Request) {
		now := value.Load()

		time.Sleep(100 * time.Microsecond)
		cache.Tag(r.Context(), []string{"t"}, true)
		_, _ = fmt.Fprint(w, now)
	})

	const writes, readers = 300, 16

	var wg sync.WaitGroup

	for range readers {
		wg.Go(func() {
			for {
				least := acknowledged.Load()

				var got int64
				if _, err := fmt.Sscan(call{}.to(t, rt).Body.String(), &got); err != nil || got < least {
					t.Errorf("got %d, %v after %d was acknowledged", got, err, least)
				}

				if least == writes || t.Failed() {
					return
				}
			}
		})
	}

	for range writes {
		value.Add(1)
		invalidate(t, rt.Cache, "t")
		acknowledged.Add(1)
		time.Sleep(200 * time.Microsecond)
	}

	wg.Wait()

	if rt.count(cache.Hit) == 0 || rt.count(cache.Collapsed) == 0 {
		t.Errorf("nothing was shared: %v", rt.seen())
	}
}

// broken is a store that cannot be asked.
type broken struct{ cache.Store }

var errBroken = errors.New("broken")

func (broken) Lookup(context.Context, cache.Key) (cache.Found, error) {
	return cache.Found{}, errBroken
}

func (broken) Changed(context.Context, []string, cache.Mark) (bool, error) { return false, errBroken }

func (broken) Invalidate(context.Context, []string) error { return errBroken }

func TestBrokenStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rt *route

		release := make(chan struct{})
		rt = over(t, broken{memory(t, 64<<20)}, tagged(), func(w http.ResponseWriter, r *http.Request) {
			cache.Tag(r.Context(), []string{"t"}, true)
			<-release
			_, _ = fmt.Fprint(w, rt.calls.Load())
		})

		if err := rt.Invalidate(t.Context(), []string{"t"}); !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}

		// Nobody knows what was written, so that a later request does not get an answer that began earlier.
		first := waiting(t.Context(), rt, call{})
		second, third := waiting(t.Context(), rt, call{}), waiting(t.Context(), rt, call{})

		close(release)
		wants(t, <-first, http.StatusOK, "1", "portico; fwd=bypass; detail=store-unavailable")

		for _, w := range []*httptest.ResponseRecorder{<-second, <-third} {
			if got := w.Body.String(); got == "1" {
				t.Errorf("got %s", got)
			}
		}

		if rt.count(cache.Stored) != 0 || rt.count(cache.StoreError) == 0 {
			t.Errorf("events %v", rt.seen())
		}
	})
}

// putless is a store that cannot keep anything.
type putless struct{ cache.Store }

func (putless) Put(context.Context, cache.Key, *cache.Entry, cache.Mark, time.Duration) (bool, error) {
	return false, errBroken
}

func TestStoreThatKeepsNothing(t *testing.T) {
	t.Parallel()

	rt := over(t, putless{memory(t, 64<<20)}, private(), fixedAnswer)
	for range 2 {
		wants(t, call{}.to(t, rt), http.StatusOK, "answer", "portico; fwd=uri-miss")
	}
}

func ExampleNew() {
	store, err := cache.NewMemory(64 << 20)
	if err != nil {
		return
	}

	answers := cache.New(store, func(rpc string, event cache.Event) { fmt.Println(rpc, event) })
	defer answers.Close()

	handler := answers.Route(private())(http.NotFoundHandler())
	_ = handler
	// Output:
}

func BenchmarkHit(b *testing.B) {
	rt := serve(b, private(), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2000)) })
	r := call{header: map[string]string{"Accept": "application/json", "Accept-Encoding": "gzip, zstd"}}.request(b.Context())
	rt.ServeHTTP(&discard{header: http.Header{}}, r)
	b.ReportAllocs()

	for b.Loop() {
		rt.ServeHTTP(&discard{header: http.Header{}}, r)
	}

	rt.wants(b, 1)
}

func TestAHitCostsFewAllocations(t *testing.T) {
	rt := serve(t, private(), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2000)) })
	r := call{header: map[string]string{"Accept": "application/json"}}.request(t.Context())
	r.URL.RawQuery = ""
	w := &discard{header: http.Header{}}
	rt.ServeHTTP(w, r)

	n := testing.AllocsPerRun(100, func() {
		clear(w.header)
		rt.ServeHTTP(w, r)
	})
	if n > 4 { // The exchange, the values of its fields, and room for a change of the standard library.
		t.Errorf("%g allocations", n)
	}

	rt.wants(t, 1)
}

// discard is a writer that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(int) {}

func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkMemoryLookup(b *testing.B) {
	u := cachetest.User{TB: b, Store: memory(b, 64<<20)}
	u.Puts("k", cachetest.Entry("body", "t"), u.Now("k"), time.Hour, true)
	u.Invalidates("other")

	key := cachetest.Key("k")

	for b.Loop() {
		_, _ = u.Lookup(b.Context(), key)
	}
}
