package cache_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

var rounds = flag.Int("rounds", 3, "how often each user asks for each address; a thorough run has 50")

// Many users ask for the same few addresses at the same time, over real connections. Each gets what is theirs, and each miss is
// one call.
func TestNobodyGetsTheAnswerOfAnother(t *testing.T) {
	t.Parallel()

	const users, urls, atOnce = 200, 20, 16

	rule := private()
	// So short that there are misses in most rounds.
	rule.Cache = policy.Cache{TTL: 20 * time.Millisecond, StaleWhileRevalidate: 10 * time.Millisecond}

	rt := serve(t, rule, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
		_, _ = fmt.Fprintf(w, "%s of %s", r.URL, reqinfo.From(r.Context()).Principal.Subject)
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &reqinfo.Record{RPC: rpc, Template: "/{n}", Principal: reqinfo.Principal{Issuer: "i", Subject: r.Header.Get("X-User")}}
		rt.ServeHTTP(w, r.WithContext(reqinfo.NewContext(r.Context(), rec)))
	}))
	t.Cleanup(server.Close)

	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = atOnce
	client.Transport.(*http.Transport).DisableCompression = true

	ask := func(user, url int) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/%d", server.URL, url), nil)
		if err != nil {
			return err
		}

		r.Header.Set("X-User", fmt.Sprint("user-", user))

		res, err := client.Do(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()

		got, err := io.ReadAll(res.Body)
		if want := fmt.Sprintf("/%d of user-%d", url, user); err == nil && string(got) != want {
			err = fmt.Errorf("got %q, want %q", got, want)
		}

		return err
	}

	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)

	// Requests of one user for one address come next to each other, and those of different users as well.
	for range atOnce {
		wg.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= users*urls**rounds || t.Failed() {
					return
				}

				if err := ask(n/4%users, n/(4*users)%urls); err != nil {
					t.Error(err)
				}
			}
		})
	}

	wg.Wait()
	t.Logf("%d calls; %v", rt.calls.Load(), rt.seen())

	if rt.count(cache.Collapsed) == 0 || rt.count(cache.Hit) == 0 || rt.count(cache.Miss) == 0 {
		t.Errorf("not all ways were taken: %v", rt.seen())
	}
}
