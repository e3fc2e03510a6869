package cache_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	hit       = "portico; hit; ttl=60"
	miss      = "portico; fwd=uri-miss; stored"
	collapsed = "portico; fwd=uri-miss; collapsed"
)

func TestManyColdMissesAreOneCall(t *testing.T) {
	t.Parallel()

	const many = 500

	rt := serve(t, private(), func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * time.Millisecond)
		_, _ = w.Write([]byte("answer"))
	})

	var wg sync.WaitGroup

	start := make(chan struct{})

	for range many {
		wg.Go(func() {
			<-start

			if w := (call{}).to(t, rt); w.Code != http.StatusOK || w.Body.String() != "answer" {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}

	close(start)
	wg.Wait()
	rt.wants(t, 1)

	if got := rt.count(cache.Hit) + rt.count(cache.Collapsed) + rt.count(cache.Miss); got != many || rt.count(cache.Miss) != 1 {
		t.Errorf("events %v", rt.seen())
	}
}

// waiting begins a call and returns what it will be answered with, once it is under way.
func waiting(ctx context.Context, h http.Handler, c call) <-chan *httptest.ResponseRecorder {
	answered := make(chan *httptest.ResponseRecorder, 1)

	go func() { answered <- c.with(ctx, h) }()

	synctest.Wait()

	return answered
}

// held is a route whose handler waits for a channel or the end of its context, which it tells.
func held(t *testing.T, rule cache.Rule, then http.HandlerFunc) (rt *route, release chan struct{}, ended chan error) {
	t.Helper()

	release, ended = make(chan struct{}), make(chan error, 10)

	rt = serve(t, rule, func(w http.ResponseWriter, r *http.Request) {
		cache.Tag(r.Context(), []string{"t"}, true)

		select {
		case <-release:
		case <-r.Context().Done():
			ended <- r.Context().Err()

			problem.Write(w, r, problem.From(r.Context().Err()), r.Context().Err())

			return
		}

		if then != nil {
			then(w, r)

			return
		}

		_, _ = fmt.Fprint(w, rt.calls.Load())
	})

	return rt, release, ended
}

func TestLeaderLeavesAndFollowersDoNotNotice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, ended := held(t, private(), nil)
		ctx, cancel := context.WithCancel(t.Context())

		rec := ada()
		leader := waiting(ctx, rt, call{rec: rec})
		follower := waiting(t.Context(), rt, call{})

		cancel()

		w := <-leader
		if code, _ := rec.Outcome(); w.Code != problem.StatusClientClosedRequest || code != codes.Canceled {
			t.Errorf("leader: got %d, %s", w.Code, code)
		}

		close(release)
		wants(t, <-follower, http.StatusOK, "1", collapsed)
		wants(t, call{}.to(t, rt), http.StatusOK, "1", hit)
		rt.wants(t, 1)

		if len(ended) > 0 {
			t.Errorf("the fetch ended: %v", <-ended)
		}
	})
}

func TestFetchEndsWhenTheLastOneLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, ended := held(t, private(), nil)
		first, leaveFirst := context.WithCancel(t.Context())
		second, leaveSecond := context.WithCancel(t.Context())

		a, b := waiting(first, rt, call{}), waiting(second, rt, call{})

		leaveFirst()
		<-a
		synctest.Wait()

		if len(ended) > 0 {
			t.Fatal("the fetch ended while somebody waited")
		}

		time.Sleep(9500 * time.Millisecond) // It has almost had its time.
		leaveSecond()
		<-b

		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the fetch ended with %v", err)
		}

		// Who comes then is not told that somebody left.
		close(release)
		wants(t, call{}.to(t, rt), http.StatusOK, "2", miss)
	})
}

func TestWhoComesWhileAnAbandonedFetchEndsBeginsAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})

		var rt *route

		rt = serve(t, private(), func(w http.ResponseWriter, _ *http.Request) {
			n := rt.calls.Load()
			if n == 1 {
				<-slow // It does not look at its context.
			}

			_, _ = fmt.Fprint(w, n)
		})

		ctx, cancel := context.WithCancel(t.Context())
		left := waiting(ctx, rt, call{})

		cancel()
		<-left
		wants(t, call{}.to(t, rt), http.StatusOK, "2", miss)
		close(slow)
		synctest.Wait()
		wants(t, call{}.to(t, rt), http.StatusOK, "2", hit)
	})
}

func TestPanicIsEverybodysErrorAndNobodysPanic(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, cause string
		end         http.HandlerFunc
	}{
		{"panic", "boom", func(http.ResponseWriter, *http.Request) { panic("boom") }},
		{"abort", http.ErrAbortHandler.Error(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"goexit", "did not return", func(http.ResponseWriter, *http.Request) { runtime.Goexit() }},
		{"after_it_wrote", "boom", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))

			panic("boom")
		}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt, release, _ := held(t, private(), tt.end)
				recs := []*reqinfo.Record{as(func(rec *reqinfo.Record) { rec.ID = "first" }), ada()}
				a, b := waiting(t.Context(), rt, call{rec: recs[0]}), waiting(t.Context(), rt, call{rec: recs[1]})

				close(release)

				for i, w := range []*httptest.ResponseRecorder{<-a, <-b} {
					if p := document(t, w); w.Code != http.StatusInternalServerError || p.RequestID != recs[i].ID {
						t.Errorf("%d: got %d %+v", i, w.Code, p)
					}

					if _, cause := recs[i].Outcome(); cause == nil || !strings.Contains(cause.Error(), tt.cause) ||
						tt.cause == "boom" && !strings.Contains(cause.Error(), "call_test.go") {
						t.Errorf("%d: cause %v", i, cause)
					}

					wantsHeader(t, w, map[string]string{"Cache-Control": "no-store"})
				}

				rt.wants(t, 1)
			})
		})
	}
}

func TestFetchHasTheDeadlineOfItsRoute(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name      string
		own, took time.Duration // Zero: the client has none.
		ends      time.Duration
		want      error
	}{
		{"route", 0, 10 * time.Second, 10 * time.Second, context.DeadlineExceeded},
		{"a_little_less_is_left_of_the_request", 9500 * time.Millisecond, 9500 * time.Millisecond, 10 * time.Second, context.DeadlineExceeded},
		{"not_the_hurry_of_one", time.Second, time.Second, time.Second, context.Canceled},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt, _, ended := held(t, private(), nil)

				ctx := t.Context()
				if tt.own > 0 {
					var cancel context.CancelFunc

					ctx, cancel = context.WithTimeout(ctx, tt.own)
					defer cancel()
				}

				start := time.Now()
				rec := ada()
				w := call{rec: rec}.with(ctx, rt)

				if took := time.Since(start); took < tt.took || took > tt.took+100*time.Millisecond {
					t.Errorf("took %s", took)
				}

				if code, _ := rec.Outcome(); w.Code != http.StatusGatewayTimeout || code != codes.DeadlineExceeded {
					t.Errorf("got %d, %s", w.Code, code)
				}

				if err := <-ended; !errors.Is(err, tt.want) {
					t.Errorf("the fetch ended with %v", err)
				}

				if ends := time.Since(start); ends < tt.ends || ends > tt.ends+100*time.Millisecond {
					t.Errorf("the fetch ended after %s", ends)
				}
			})
		})
	}
}

// A fetch once ended with the time of who began it, also for those who had more.
func TestFetchIsNotInTheHurryOfItsLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, _ := held(t, private(), nil)
		hurried, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		defer cancel()

		leader, follower := waiting(hurried, rt, call{}), waiting(t.Context(), rt, call{})

		if w := <-leader; w.Code != http.StatusGatewayTimeout {
			t.Errorf("leader: got %d", w.Code)
		}

		time.Sleep(9 * time.Second)
		close(release)
		wants(t, <-follower, http.StatusOK, "1", collapsed)
	})
}

// Who comes late to a fetch that runs out of time has time for another, and waits for the one of all who do.
func TestFollowersFetchAgainWhenTheFetchIsOutOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, ended := held(t, private(), nil)
		leader := waiting(t.Context(), rt, call{})

		time.Sleep(9 * time.Second)

		a, b := waiting(t.Context(), rt, call{}), waiting(t.Context(), rt, call{})

		if w := <-leader; w.Code != http.StatusGatewayTimeout {
			t.Errorf("leader: got %d", w.Code)
		}

		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the first fetch ended with %v", err)
		}

		synctest.Wait()
		rt.wants(t, 2)
		close(release)

		for _, w := range []*httptest.ResponseRecorder{<-a, <-b} {
			if w.Code != http.StatusOK || w.Body.String() != "2" {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		}

		rt.wants(t, 2)
	})
}

// A backend that says at once that something took too long has said it for all.
func TestFollowersShareAnEarlyTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, _ := held(t, private(), func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, problem.From(status.Error(codes.DeadlineExceeded, "no")), nil)
		})
		a, b := waiting(t.Context(), rt, call{}), waiting(t.Context(), rt, call{})

		close(release)
		<-a
		<-b
		rt.wants(t, 1)
	})
}

// A fetch that nobody wants any more but that is almost over is joined by nobody, and its answer is not kept.
func TestWhoComesWhileAFetchIsAlmostOverBeginsAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, ended := held(t, private(), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
		defer cancel()

		call{}.with(ctx, rt)

		second := waiting(t.Context(), rt, call{})

		rt.wants(t, 2)

		if len(ended) > 0 {
			t.Fatalf("the first fetch ended with %v", <-ended)
		}

		close(release)
		synctest.Wait()
		wants(t, <-second, http.StatusOK, "2", miss)
		wants(t, call{}.to(t, rt), http.StatusOK, "2", hit)

		if got := rt.count(cache.Stored); got != 1 {
			t.Errorf("%d answers were kept", got)
		}
	})
}

// panicking is a store that panics where an answer is to be kept.
type panicking struct{ cache.Store }

func (panicking) Put(context.Context, cache.Key, *cache.Entry, cache.Mark, time.Duration) (bool, error) {
	panic("boom")
}

// It once ended the process.
func TestPanicOfTheStoreIsAnError(t *testing.T) {
	t.Parallel()

	rt := over(t, panicking{memory(t, 64<<20)}, private(), fixedAnswer)
	rec := ada()
	w := call{rec: rec}.to(t, rt)

	if _, cause := rec.Outcome(); w.Code != http.StatusInternalServerError || cause == nil || !strings.Contains(cause.Error(), "boom") {
		t.Errorf("got %d, %v", w.Code, cause)
	}
}

func TestFollowersRecordsTellWhatHappened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("lost")
		rt, release, _ := held(t, private(), func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			rec.AddUpstream("order")
			rec.Miss("items", lost)
			problem.Write(w, r, problem.From(status.Error(codes.NotFound, "no such order")), lost)
		})
		recs := []*reqinfo.Record{as(func(rec *reqinfo.Record) { rec.ID = "first-id" }), as(func(rec *reqinfo.Record) { rec.ID = "second-id" })}
		a, b := waiting(t.Context(), rt, call{rec: recs[0]}), waiting(t.Context(), rt, call{rec: recs[1]})

		close(release)

		for i, w := range []*httptest.ResponseRecorder{<-a, <-b} {
			code, cause := recs[i].Outcome()
			if w.Code != http.StatusNotFound || code != codes.NotFound || !errors.Is(cause, lost) ||
				len(recs[i].Upstreams()) != 1 || len(recs[i].Missing()) != 1 {
				t.Errorf("%d: got %d; %s, %v, %v, %v", i, w.Code, code, cause, recs[i].Upstreams(), recs[i].Missing())
			}

			// The problem names the request of the one who reads it.
			if p := document(t, w); p.RequestID != recs[i].ID || p.Detail != "no such order" {
				t.Errorf("%d: %+v", i, p)
			}
		}

		rt.wants(t, 1)
	})
}

func TestWhatIsForOneIsNotShared(t *testing.T) {
	t.Parallel()

	tests := map[string]http.HandlerFunc{
		"cookie": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "session=1") },
		"encoded_problem": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusBadRequest)
		},
	}

	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt, release, _ := held(t, private(), handler)
				post := call{method: http.MethodPost, body: "body"}
				a, b := waiting(t.Context(), rt, post), waiting(t.Context(), rt, post)

				close(release)
				wantsHeader(t, <-a, map[string]string{"Cache-Status": "portico; fwd=uri-miss", "Cache-Control": "no-store"})
				wantsHeader(t, <-b, map[string]string{"Cache-Status": "portico; fwd=bypass", "Cache-Control": "no-store"})
				rt.wants(t, 2)
				post.to(t, rt)
				rt.wants(t, 3)
			})
		})
	}
}

func TestWithoutTTLOnlyRequestsAtTheSameTimeShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, _ := held(t, coalesced(), nil)
		a, b := waiting(t.Context(), rt, call{}), waiting(t.Context(), rt, with("Cache-Control", "no-cache"))

		close(release)

		first, second := <-a, <-b
		wants(t, first, http.StatusOK, "1", "portico; fwd=bypass")
		wants(t, second, http.StatusOK, "1", "portico; fwd=bypass; collapsed")
		wantsHeader(t, first, map[string]string{"Cache-Control": "no-store", "ETag": "", "Age": "", "Vary": ""})
		wants(t, call{}.to(t, rt), http.StatusOK, "2", "portico; fwd=bypass")
	})
}

func TestCloseEndsFetchesAndLetsRequestsPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, ended := held(t, private(), nil)
		w := waiting(t.Context(), rt, call{})

		rt.Close()

		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the fetch ended with %v", err)
		}

		<-w
		close(release)

		r := call{method: http.MethodPost, body: "body"}.request(t.Context())
		after := httptest.NewRecorder()
		rt.ServeHTTP(after, r)
		wants(t, after, http.StatusOK, "2", "portico; fwd=bypass")
	})
}

// slowly is a store whose first look takes a while after it has seen nothing.
type slowly struct {
	cache.Store

	looks   atomic.Int64
	release chan struct{}
}

func (s *slowly) Lookup(ctx context.Context, key cache.Key) (cache.Found, error) {
	found, err := s.Store.Lookup(ctx, key)
	if s.looks.Add(1) == 1 {
		<-s.release
	}

	return found, err
}

// Who has seen nothing in the store, and comes to the flights when that of another has just ended, looks again.
func TestMissThatIsNoneAnyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowly{Store: memory(t, 64<<20), release: make(chan struct{})}
		rt := over(t, store, private(), fixedAnswer)

		slow := waiting(t.Context(), rt, call{})
		wants(t, call{}.to(t, rt), http.StatusOK, "answer", miss)
		close(store.release)
		wants(t, <-slow, http.StatusOK, "answer", hit)
		rt.wants(t, 1)
	})
}
