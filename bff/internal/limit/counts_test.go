package limit_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// decisions count what a Limiter observes.
type decisions struct {
	mu     sync.Mutex
	counts map[string]int
}

func (d *decisions) observe(rpc, limit, key string) (allowed, refused func()) {
	count := func(decision string) func() {
		name := fmt.Sprintf("%s %s %s %s", rpc, limit, key, decision)
		d.counts[name] = 0

		return func() {
			d.mu.Lock()
			defer d.mu.Unlock()

			d.counts[name]++
		}
	}

	return count("allowed"), count("refused")
}

func TestDecisionsAreCountedByLimitAndKindOfKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &decisions{counts: map[string]int{}}
		l := limit.New(100_000)
		l.Observe = d.observe

		hour := durationpb.New(time.Hour)
		h := l.Route("/s/M", []*porticov1.RateLimit{
			{Requests: 2, Per: hour, Burst: 2, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT, Name: "shared"},
			{Requests: 3, Per: hour, Burst: 3, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL},
		})(noContent())

		tenant := &reqinfo.Record{Principal: reqinfo.Principal{Subject: "ada", Tenant: "shop"}}
		for _, want := range []int{204, 204, 429} {
			wantStatus(t, "a request", ask(t, h, tenant), want)
		}

		// Its bucket of its own is full, the global one is not.
		wantStatus(t, "a request", ask(t, h, &reqinfo.Record{}), 204)
		wantStatus(t, "a request", ask(t, h, &reqinfo.Record{}), 429)

		client := l.PerClient(config.Rate{Requests: 1, Per: time.Hour, Burst: 1})(noContent())
		wantStatus(t, "a request", ask(t, client, &reqinfo.Record{}), 204)
		wantStatus(t, "a request", ask(t, client, &reqinfo.Record{}), 429)

		want := map[string]int{
			"/s/M shared tenant allowed": 2, "/s/M shared tenant refused": 1,
			"/s/M shared principal allowed": 0, "/s/M shared principal refused": 0,
			// Nothing is taken from it when the global one refuses.
			"/s/M shared client allowed": 1, "/s/M shared client refused": 0,
			"/s/M global global allowed": 3, "/s/M global global refused": 1, //nolint:dupword // A limit and its kind of key.
			" limits.client client allowed": 1, " limits.client client refused": 1,
		}
		if diff := cmp.Diff(want, d.counts); diff != "" {
			t.Error(diff)
		}
	})
}
