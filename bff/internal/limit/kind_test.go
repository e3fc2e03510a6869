package limit_test

import (
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Once, a bucket that fills slowly took the place of one that fills fast, whose caller then had a full one again.
func TestFloodOfSlowBucketsLeavesABusyKeyLimited(t *testing.T) {
	t.Parallel()

	const maxKeys, flood = 2000, 4000

	// From the fastest to the slowest.
	rates := []struct {
		name string
		rate limit.Rate
	}{
		{"second", limit.Rate{Requests: 50, Per: time.Second, Burst: 100}},
		{"minute", limit.Rate{Requests: 7, Per: time.Minute}},
		{"hour", limit.Rate{Requests: 7, Per: time.Hour, Burst: 14}},
		{"day", limit.Rate{Requests: 5, Per: limit.Day}},
		{"quota", limit.Rate{Requests: 5, Daily: true}},
	}

	for i, fast := range rates {
		t.Run(fast.name, func(t *testing.T) {
			t.Parallel()

			m, now := limit.NewMemory(maxKeys), time.Now()

			for m.Allow(one(key("busy"), fast.rate), timeIs(now)).Allowed {
			}

			for _, slow := range rates[i+1:] {
				for n := range flood {
					m.Allow(one(key(slow.name+strconv.Itoa(n)), slow.rate), timeIs(now))
				}
			}

			if m.Allow(one(key("busy"), fast.rate), timeIs(now)).Allowed {
				t.Error("the flood has reset the bucket of the busy key")
			}

			if got := m.Len(); got > len(rates)*maxKeys {
				t.Errorf("%d keys", got)
			}
		})
	}
}

func TestFloodOfClientsLeavesRoutesLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const maxKeys, flood = 500, 2000

		l := limit.New(maxKeys)
		edge := l.PerClient(config.Rate{Requests: 2, Per: time.Second, Burst: 10})(noContent())
		route := l.Route("rpc", []*porticov1.RateLimit{{Requests: 1, Per: durationpb.New(time.Second), Burst: 1, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL}})(noContent())

		wantStatus(t, "first", ask(t, route, as("i", "ada")), http.StatusNoContent)

		addr := netip.MustParseAddr("198.18.0.0")
		for range flood {
			for range 3 {
				ask(t, edge, &reqinfo.Record{Client: addr})
			}

			addr = addr.Next()
		}

		wantStatus(t, "second", ask(t, route, as("i", "ada")), http.StatusTooManyRequests)
	})
}
