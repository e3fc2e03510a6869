package cache_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

func TestWishesOfClients(t *testing.T) {
	t.Parallel()

	wish := func(value string) call { return with("Cache-Control", value) }
	nobody := func(value string) call {
		return call{header: map[string]string{"Cache-Control": value}, rec: anonymous()}
	}
	const (
		still  = "portico; hit; ttl=50"
		forced = "portico; fwd=request; stored"
		refuse = "portico; detail=only-if-cached"
	)

	type step struct {
		call   call
		status string
	}

	// The second call comes 10 seconds after the first.
	tests := []struct {
		name          string
		rule          cache.Rule
		first, second step
	}{
		{"none", private(), step{call{}, miss}, step{call{}, still}},
		{"unknown", private(), step{wish("a=b, ,=, no-transform"), miss}, step{wish("max-stale=5, min-fresh"), still}},
		{"no_cache", private(), step{wish("No-Cache"), "portico; fwd=request; stored"}, step{wish("x, no-cache"), forced}},
		{"pragma", private(), step{call{}, miss}, step{with("Pragma", "no-cache"), forced}},
		{"pragma_beside_cache_control", private(), step{call{}, miss}, step{
			call{header: map[string]string{"Pragma": "no-cache", "Cache-Control": "x"}}, still,
		}},
		{"max_age_0", private(), step{call{}, miss}, step{wish("max-age=0"), forced}},
		{"max_age_of_less", private(), step{call{}, miss}, step{wish("max-age=9"), forced}},
		{"max_age_of_more", private(), step{call{}, miss}, step{wish(`max-age="10"`), still}},
		{"max_age_of_very_much", private(), step{call{}, miss}, step{wish("max-age=99999999999999999999"), still}},
		{"max_age_that_is_none", private(), step{call{}, miss}, step{wish("max-age=-1, max-age, max-age=x"), still}},
		{"smallest_max_age", private(), step{call{}, miss}, step{wish("max-age=50, max-age=5, max-age=70"), forced}},
		{"no_store", private(), step{wish("no-store"), "portico; fwd=uri-miss"}, step{call{}, miss}},
		{"no_store_of_what_is_stored", private(), step{call{}, miss}, step{wish("no-store"), still}},
		{"only_if_cached", private(), step{wish("only-if-cached"), refuse}, step{call{}, miss}},
		{"only_if_cached_of_what_is_stored", private(), step{call{}, miss}, step{wish("only-if-cached"), still}},
		{"only_if_cached_but_not_from_there", private(), step{call{}, miss}, step{wish("only-if-cached, no-cache"), refuse}},
		{"nobody_forces_what_is_for_all", public(), step{nobody("no-cache"), miss}, step{nobody("no-cache, max-age=0"), still}},
		{"nobody_may_still_ask", public(), step{nobody("only-if-cached"), refuse}, step{nobody("no-store"), miss}},
		{"somebody_forces_what_is_for_all", public(), step{wish("no-cache"), forced}, step{wish("no-cache"), forced}},
		{"nobody_forces_what_is_his_own", private(), step{nobody("no-cache"), forced}, step{nobody("no-cache"), forced}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := numbered(t, tt.rule)

				for _, s := range []step{tt.first, tt.second} {
					w := s.call.to(t, rt)
					if got := w.Header().Get("Cache-Status"); got != s.status {
						t.Errorf("Cache-Status: %s; want %s", got, s.status)
					}

					if s.status == refuse {
						if p := document(t, w); p.Status != http.StatusGatewayTimeout || rt.calls.Load() > 1 {
							t.Errorf("got %+v", p)
						}
					}

					time.Sleep(10 * time.Second)
				}
			})
		})
	}
}

func TestForcedFetchReplacesTheEntry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := numbered(t, private())
		call{}.to(t, rt)
		wants(t, with("Cache-Control", "no-cache").to(t, rt), http.StatusOK, "2", "portico; fwd=request; stored")
		wants(t, call{}.to(t, rt), http.StatusOK, "2", hit)
	})
}

// A forced fetch begins after the request came. Those that come while another runs share the next one.
func TestForcedFetchesAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, _ := held(t, private(), nil)
		force := with("Cache-Control", "no-cache")

		first := waiting(t.Context(), rt, call{})
		second, third := waiting(t.Context(), rt, force), waiting(t.Context(), rt, force)
		ordinary := waiting(t.Context(), rt, call{})

		rt.wants(t, 1)
		release <- struct{}{}

		wants(t, <-first, http.StatusOK, "1", miss)
		wants(t, <-ordinary, http.StatusOK, "1", collapsed)
		synctest.Wait()
		rt.wants(t, 2)
		release <- struct{}{}

		a, b := <-second, <-third
		if a.Body.String() != "2" || b.Body.String() != "2" {
			t.Errorf("got %s and %s", a.Body, b.Body)
		}

		got := a.Header().Get("Cache-Status") + " | " + b.Header().Get("Cache-Status")
		if strings.Count(got, "fwd=request; stored") != 1 || strings.Count(got, "fwd=request; collapsed") != 1 {
			t.Error(got)
		}
	})
}

// The wait for the fetch that is under way is not a wish that it goes on.
func TestForcedRequestDoesNotKeepAnOlderFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, release, ended := held(t, private(), nil)
		ctx, leave := context.WithCancel(t.Context())

		first := waiting(ctx, rt, call{})
		forced := waiting(t.Context(), rt, with("Cache-Control", "no-cache"))

		leave()
		<-first

		if err := <-ended; err == nil {
			t.Error("the fetch went on")
		}

		close(release)
		wants(t, <-forced, http.StatusOK, "2", "portico; fwd=request; stored")
	})
}

func TestForcedRequestGetsItsErrorAndNothingStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rule := private()
		rule.Cache.StaleIfError = time.Hour

		var rt *route

		rt = serve(t, rule, func(w http.ResponseWriter, r *http.Request) {
			if rt.calls.Load() > 1 {
				problem.Write(w, r, problem.New(codes.Unavailable, "gone"), nil)
			}
		})
		call{}.to(t, rt)

		for _, wish := range []string{"no-cache", "max-age=0"} {
			w := with("Cache-Control", wish).to(t, rt)
			if p := document(t, w); w.Code != http.StatusServiceUnavailable || p.Detail != "gone" {
				t.Errorf("%s: got %d %+v", wish, w.Code, p)
			}
		}

		wants(t, call{}.to(t, rt), http.StatusOK, "", hit)
	})
}

func FuzzParseControl(f *testing.F) {
	for _, value := range []string{"no-cache", "max-age=5, no-store", `only-if-cached, max-age="7"`, ",=;,max-age=", "MAX-AGE=99999999999999999999", "a=\"b,no-cache\""} {
		f.Add(value, "no-cache")
	}

	f.Fuzz(func(t *testing.T, value, pragma string) {
		noCache, noStore, only, maxAge := cache.ParseControl(http.Header{"Cache-Control": {value}, "Pragma": {pragma}})

		if maxAge != -1 && (maxAge < 0 || maxAge > 1<<31*time.Second || maxAge%time.Second != 0) {
			t.Errorf("%q: max-age %s", value, maxAge)
		}

		lower := strings.ToLower(value)
		if noCache && !strings.Contains(lower, "no-cache") || noStore && !strings.Contains(lower, "no-store") ||
			only && !strings.Contains(lower, "only-if-cached") {
			t.Errorf("%q: %t %t %t", value, noCache, noStore, only)
		}

		// More directives undo none, and one that is added is understood.
		more := http.Header{"Cache-Control": {value, "no-cache , ONLY-IF-CACHED,no-store,max-age=" + strconv.Itoa(3)}}
		if a, b, c, d := cache.ParseControl(more); !a || !b || !c || d > 3*time.Second || d < 0 {
			t.Errorf("%q and more: %s", value, fmt.Sprint(a, b, c, d))
		}
	})
}
