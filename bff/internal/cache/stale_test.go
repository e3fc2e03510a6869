package cache_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

func TestStaleAnswersAreGivenOutWhileOneIsFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rule := private()
		rule.Cache.StaleWhileRevalidate = 30 * time.Second
		rt, release, _ := held(t, rule, nil)
		fetch := func() { release <- struct{}{} }

		go fetch()

		call{}.to(t, rt)
		time.Sleep(70 * time.Second)

		// Many get it at once, and one asks.
		for range 10 {
			w := call{}.to(t, rt)
			wants(t, w, http.StatusOK, "1", "portico; hit; ttl=-10; detail=stale-while-revalidate")
			wantsHeader(t, w, map[string]string{"Age": "70", "Cache-Control": "private, max-age=60, stale-while-revalidate=30"})
			synctest.Wait()
			rt.wants(t, 2)
		}

		fetch()
		synctest.Wait()
		wants(t, call{}.to(t, rt), http.StatusOK, "2", hit)

		// When it is too old, it is not given out any more.
		time.Sleep(90 * time.Second)

		go fetch()

		wants(t, call{}.to(t, rt), http.StatusOK, "3", miss)

		if rt.count(cache.Refresh) != 1 || rt.count(cache.Stale) != 10 {
			t.Errorf("events %v", rt.seen())
		}
	})
}

func TestRefreshOutlivesWhoCausedIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rule := private()
		rule.Cache.StaleWhileRevalidate = time.Hour
		rt, release, ended := held(t, rule, nil)

		go func() { release <- struct{}{} }()

		call{}.to(t, rt)
		time.Sleep(70 * time.Second)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		call{header: map[string]string{"Cache-Control": "no-store"}}.with(ctx, rt)
		cancel()
		synctest.Wait()

		if len(ended) > 0 {
			t.Fatal("the fetch ended with the request")
		}

		// A follower that leaves does not end it either.
		leave, left := context.WithCancel(t.Context())
		follower := waiting(leave, rt, with("Cache-Control", "max-age=3"))

		left()
		<-follower
		release <- struct{}{}

		synctest.Wait()
		wants(t, call{}.to(t, rt), http.StatusOK, "2", hit)
	})
}

// Refreshes of one route once took the places of all others.
func TestRefreshesAreBoundedForEachRouteAndEndWithTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const keys, most = 30, 16

		rule := private()
		rule.Cache.StaleWhileRevalidate = time.Hour
		rt, release, ended := held(t, rule, nil)
		other := rt.Route(rule)(http.HandlerFunc(fixedAnswer))
		ask := func(i int) { call{target: fmt.Sprint("/v1/orders/o1?i=", i)}.to(t, rt) }
		askOther := func() { call{target: "/v1/orders/o1?other"}.to(t, other) }

		for i := range keys {
			go func() { release <- struct{}{} }()

			ask(i)
		}

		askOther()
		time.Sleep(2 * time.Minute)

		for i := range keys {
			ask(i)
		}

		askOther()
		synctest.Wait()
		rt.wants(t, keys+most)

		if got := rt.count(cache.Refresh); got != most+1 {
			t.Errorf("%d refreshes, want one of the other route as well", got)
		}

		go func() {
			for range ended {
			}
		}()

		rt.Close()
		close(ended)
	})
}

func TestStaleAnswersAreBetterThanErrors(t *testing.T) {
	t.Parallel()

	fail := func(code codes.Code) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, problem.From(status.Error(code, "no")), errors.New("the cause"))
		}
	}

	tests := []struct {
		name    string
		fail    http.HandlerFunc
		stale   bool
		status  int
		wantLog string
	}{
		{"unavailable", fail(codes.Unavailable), true, 503, "the cause"},
		{"deadline", fail(codes.DeadlineExceeded), true, 504, "the cause"},
		{"internal", fail(codes.Internal), true, 500, "the cause"},
		{"bad_gateway", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, true, 502, "no cause is known"},
		{"panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, true, 500, "boom"},
		{"hangs", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			time.Sleep(time.Second)
			problem.Write(w, r, problem.From(r.Context().Err()), nil)
		}, true, 504, "deadline exceeded"},
		{"not_found", fail(codes.NotFound), false, 404, ""},
		{"forbidden", fail(codes.PermissionDenied), false, 403, ""},
		{"too_many", fail(codes.ResourceExhausted), false, 429, ""},
		{"unimplemented", fail(codes.Unimplemented), false, 501, ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rule := private()
				rule.Cache.StaleIfError = time.Hour

				var rt *route

				rt = serve(t, rule, func(w http.ResponseWriter, r *http.Request) {
					if rt.calls.Load() > 1 {
						tt.fail(w, r)

						return
					}

					_, _ = w.Write([]byte("1"))
				})
				call{}.to(t, rt)
				time.Sleep(2 * time.Minute)

				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()

				rec := ada()
				w := call{rec: rec}.with(ctx, rt)
				code, cause := rec.Outcome()

				if tt.stale {
					wants(t, w, http.StatusOK, "1", fmt.Sprintf("portico; fwd=stale; fwd-status=%d; detail=stale-if-error", tt.status))

					if code != codes.OK || cause == nil || !strings.Contains(cause.Error(), tt.wantLog) {
						t.Errorf("outcome %s, %v", code, cause)
					}

					if age := w.Header().Get("Age"); age != "120" && age != "125" {
						t.Errorf("age %s", age)
					}

					// Not for ever.
					time.Sleep(time.Hour)
				} else if w.Code != tt.status || code == codes.OK {
					t.Errorf("got %d, %s", w.Code, code)
				}

				if w := (call{}).to(t, rt); w.Code == http.StatusOK {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
			})
		})
	}
}

func TestFreshAnswerReplacesAStaleOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rule := private()
		rule.Cache.StaleIfError = time.Hour
		rt := numbered(t, rule)
		call{}.to(t, rt)
		time.Sleep(2 * time.Minute)
		wants(t, call{}.to(t, rt), http.StatusOK, "2", "portico; fwd=stale; stored")
		wants(t, call{}.to(t, rt), http.StatusOK, "2", hit)
	})
}
