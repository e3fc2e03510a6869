package limit_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/limit"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func daily(requests int64) *porticov1.RateLimit {
	return &porticov1.RateLimit{Requests: requests, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, Daily: true}
}

func TestQuotaIsFullAgainAtMidnight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := limit.New(100_000).Route("rpc", []*porticov1.RateLimit{daily(2)})(noContent())
		rec := as("i", "ada")

		time.Sleep(23*time.Hour + 30*time.Minute) // A bubble begins at midnight.

		for _, remaining := range []string{"1", "0"} {
			want := map[string]string{
				"RateLimit": `"principal";r=` + remaining + `;t=1800`, "RateLimit-Policy": `"principal";q=2;w=86400`,
			}
			if diff := cmp.Diff(want, limitFields(ask(t, h, rec).Header())); diff != "" {
				t.Error(diff)
			}
		}

		res := ask(t, h, rec)
		wantStatus(t, "third", res, http.StatusTooManyRequests)

		if got := res.Header().Get("Retry-After"); got != "1800" {
			t.Errorf("Retry-After: %s", got)
		}

		time.Sleep(30*time.Minute - time.Second)
		wantStatus(t, "before midnight", ask(t, h, rec), http.StatusTooManyRequests)
		time.Sleep(time.Second)

		res = ask(t, h, rec)
		wantStatus(t, "after midnight", res, http.StatusNoContent)

		if got := limitFields(res.Header())["RateLimit"]; got != `"principal";r=1;t=86400` {
			t.Errorf("RateLimit: %s", got)
		}
	})
}

// A quota of the day before, however large, is not taken for one of today.
func TestLargestQuotaOfYesterday(t *testing.T) {
	t.Parallel()

	const most = 1<<31 - 1

	m, now := limit.NewMemory(100_000), time.Now()
	r := limit.Request{Key: key("a"), Rate: limit.Rate{Requests: most, Daily: true}, Cost: most}

	for day := range 3 {
		at := now.Add(time.Duration(day) * limit.Day)
		if d := m.Allow(r, timeIs(at)); !d.Allowed || d.Remaining != 0 {
			t.Errorf("day %d: %+v", day, d)
		}

		if d := m.Allow(one(r.Key, r.Rate), timeIs(at)); d.Allowed {
			t.Errorf("day %d, second: %+v", day, d)
		}
	}
}

func TestClockSetBackCostsNoMoreThanTheQuota(t *testing.T) {
	t.Parallel()

	m, now := limit.NewMemory(100_000), time.Date(2030, time.May, 5, 0, 0, 1, 0, time.UTC)
	r := one(key("a"), limit.Rate{Requests: 3, Daily: true})

	m.Allow(r, timeIs(now))

	back := now.Add(-2 * time.Second)
	if d := m.Allow(r, timeIs(back)); d.Allowed || d.Remaining != 0 || d.RetryAfter != time.Second {
		t.Errorf("got %+v", d)
	}

	if d := m.Allow(r, timeIs(now)); !d.Allowed || d.Remaining != 1 {
		t.Errorf("got %+v", d)
	}
}

// Quotas are full again later than any bucket, and would take all of their places.
func TestFloodOfQuotasLeavesABusyKeyLimited(t *testing.T) {
	t.Parallel()

	const maxKeys = 1000

	rate := limit.Rate{Requests: 1, Per: time.Second, Burst: 5}
	m, now := limit.NewMemory(maxKeys), time.Now()

	for m.Allow(one(key("busy"), rate), timeIs(now)).Allowed {
	}

	for i := range 10 * maxKeys {
		m.Allow(one(key(strconv.Itoa(i)), limit.Rate{Requests: 5, Daily: true}), timeIs(now))
	}

	if m.Allow(one(key("busy"), rate), timeIs(now)).Allowed {
		t.Error("the flood has reset the bucket of the busy key")
	}

	if got := m.Len(); got > 2*maxKeys || got < maxKeys/2 {
		t.Errorf("%d keys", got)
	}
}
