// Package limittest has the tests of the contract of limit.Store.
package limittest

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portico-gateway/portico/bff/internal/limit"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Run tests a store. Each test gets an empty one, and in runs it: in a bubble of virtual time, if the store is in memory.
func Run(t *testing.T, in func(*testing.T, func(*testing.T)), open func(testing.TB) limit.Store) {
	t.Helper()

	for name, part := range contract() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T) { //nolint:thelper // It is the test.
				part(user{TB: t, store: open(t)})
			})
		})
	}
}

// slack is how late a store may decide, on a busy machine.
const slack = 10 * time.Second

// user calls a store and checks the results.
type user struct {
	testing.TB

	store limit.Store
}

func (u user) take(requests ...limit.Request) []limit.Decision {
	u.Helper()

	decisions, err := u.store.Take(u.Context(), requests)
	if err != nil || len(decisions) != len(requests) {
		u.Fatalf("got %v, %v", decisions, err)
	}

	return decisions
}

// wants takes and checks the decisions, with times that may be earlier by slack.
func (u user) wants(want []limit.Decision, requests ...limit.Request) {
	u.Helper()

	earlier := cmp.Comparer(func(a, b time.Duration) bool { return max(a-b, b-a) <= slack && (a == 0) == (b == 0) })
	if diff := cmp.Diff(want, u.take(requests...), earlier); diff != "" {
		u.Fatal(diff)
	}
}

func (u user) allows(want bool, requests ...limit.Request) limit.Decision {
	u.Helper()

	decisions := u.take(requests...)
	if got := !slices.ContainsFunc(decisions, func(d limit.Decision) bool { return !d.Allowed }); got != want {
		u.Fatalf("allowed: %t, want %t: %+v", got, want, decisions)
	}

	return decisions[0]
}

func ask(name string, rate limit.Rate, cost int64) limit.Request {
	return limit.Request{Key: limit.Key{Limit: name}, Rate: rate, Cost: cost}
}

// hourly fills slowly, so that nothing comes back during a test.
func hourly(burst int64) limit.Rate { return limit.Rate{Requests: 1, Per: time.Hour, Burst: burst} }

func daily(requests int64) limit.Rate { return limit.Rate{Requests: requests, Daily: true} }

// notAtMidnight waits until midnight is over, if it is near, and returns the time until the next.
func notAtMidnight() time.Duration {
	left := limit.Day - time.Since(time.Now().UTC().Truncate(limit.Day))
	if left > time.Minute {
		return left
	}

	time.Sleep(left + time.Second)

	return limit.Day - time.Second
}

// contract is what every Store does.
func contract() map[string]func(u user) {
	parts := map[string]func(u user){
		"burst_then_refusal": func(u user) {
			r := ask("a", hourly(3), 1)
			u.wants([]limit.Decision{{Allowed: true, Limit: 3, Remaining: 2, ResetAfter: time.Hour}}, r)
			u.wants([]limit.Decision{{Allowed: true, Limit: 3, Remaining: 1, ResetAfter: 2 * time.Hour}}, r)
			u.wants([]limit.Decision{{Allowed: true, Limit: 3, Remaining: 0, ResetAfter: 3 * time.Hour}}, r)
			u.wants([]limit.Decision{{Limit: 3, ResetAfter: 3 * time.Hour, RetryAfter: time.Hour}}, r)
			u.wants([]limit.Decision{{Limit: 3, ResetAfter: 3 * time.Hour, RetryAfter: time.Hour}}, r)
		},
		"burst_defaults_to_requests": func(u user) {
			r := ask("a", limit.Rate{Requests: 2, Per: 2 * time.Hour}, 1)
			u.wants([]limit.Decision{{Allowed: true, Limit: 2, Remaining: 1, ResetAfter: time.Hour}}, r)
		},
		"largest_limits_do_not_overflow": func(u user) {
			r := ask("a", limit.Rate{Requests: 1, Per: 31 * limit.Day, Burst: 1<<31 - 1}, 1)
			if got := u.allows(true, r); got.Remaining < 800 || got.ResetAfter != 31*limit.Day {
				u.Errorf("got %+v", got)
			}
		},
		"refused_requests_cost_nothing": func(u user) {
			r := ask("a", limit.Rate{Requests: 1, Per: 300 * time.Millisecond}, 1)
			u.allows(true, r)
			retry := u.allows(false, r).RetryAfter

			for range 5 {
				u.take(ask("a", r.Rate, 1), ask("empty", hourly(1), 2))
			}

			time.Sleep(retry)
			u.allows(true, r)
		},
		"cost": func(u user) {
			u.wants([]limit.Decision{{Allowed: true, Limit: 10, Remaining: 6, ResetAfter: 4 * time.Hour}}, ask("a", hourly(10), 4))
			u.wants([]limit.Decision{{Allowed: true, Limit: 10, Remaining: 2, ResetAfter: 8 * time.Hour}}, ask("a", hourly(10), 4))
			u.wants([]limit.Decision{{Limit: 10, Remaining: 2, ResetAfter: 8 * time.Hour, RetryAfter: 2 * time.Hour}},
				ask("a", hourly(10), 4))
			u.wants([]limit.Decision{{Allowed: true, Limit: 10, ResetAfter: 10 * time.Hour}}, ask("a", hourly(10), 2))
		},
		"cost_over_the_size_never_passes": func(u user) {
			u.allows(false, ask("a", hourly(3), 4))
			u.allows(false, ask("b", daily(3), 4))
			u.allows(true, ask("a", hourly(3), 3))
			u.allows(true, ask("b", daily(3), 3))
		},
		"all_or_nothing": func(u user) {
			u.allows(true, ask("empty", hourly(1), 1))

			left := notAtMidnight()
			u.wants([]limit.Decision{
				{Allowed: true, Limit: 5, Remaining: 5},
				{Limit: 1, ResetAfter: time.Hour, RetryAfter: time.Hour},
				{Allowed: true, Limit: 7, Remaining: 7, ResetAfter: left},
			}, ask("a", hourly(5), 3), ask("empty", hourly(1), 1), ask("b", daily(7), 2))
			u.wants([]limit.Decision{
				{Allowed: true, Limit: 5, Remaining: 2, ResetAfter: 3 * time.Hour},
				{Allowed: true, Limit: 7, Remaining: 5, ResetAfter: left},
			}, ask("a", hourly(5), 3), ask("b", daily(7), 2))
		},
		"daily_quota": func(u user) {
			left := notAtMidnight()
			r := ask("a", daily(4), 2)
			u.wants([]limit.Decision{{Allowed: true, Limit: 4, Remaining: 2, ResetAfter: left}}, r)
			u.wants([]limit.Decision{{Allowed: true, Limit: 4, Remaining: 0, ResetAfter: left}}, r)
			u.wants([]limit.Decision{{Limit: 4, ResetAfter: left, RetryAfter: left}}, r)
			u.wants([]limit.Decision{{Limit: 4, ResetAfter: left, RetryAfter: left}}, r)
		},
		"largest_quota": func(u user) {
			const most = 1<<31 - 1

			notAtMidnight()
			u.allows(true, ask("a", daily(most), most-1))
			u.allows(true, ask("a", daily(most), 1))
			u.allows(false, ask("a", daily(most), 1))
		},
		"tokens_come_back": func(u user) {
			r := ask("a", limit.Rate{Requests: 10, Per: time.Second, Burst: 2}, 2)

			for range 3 {
				u.allows(true, r)
				time.Sleep(u.allows(false, r).RetryAfter)
			}
		},
	}

	parts["every_key_has_its_own"] = everyKeyHasItsOwn
	parts["never_more_than_the_burst_however_many_ask"] = neverMore

	return parts
}

func everyKeyHasItsOwn(u user) {
	ipv4, ipv6 := netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("102:304::")

	keys := []limit.Key{
		{},
		{Limit: "a"},
		{Limit: "ab"},
		{Limit: "a", Issuer: "b"},
		{Limit: "a", Subject: "b"},
		{Limit: "a", Issuer: "b", Subject: "c"},
		{Limit: "a", Issuer: "b", Subject: "c", Tenant: "d"},
		{Limit: "a", Subject: "b", Tenant: "c"},
		{Limit: "a", Tenant: "b"},
		{Limit: "a", Issuer: "bc"},
		{Limit: "a", Subject: "bc"},
		{Limit: "a", By: porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, Subject: "b"},
		{Limit: "a", By: porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT, Subject: "b"},
		{Limit: "a", By: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL},
		{Limit: "a", By: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS},
		{Limit: "a", By: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, Client: ipv4},
		{Limit: "a", By: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, Client: ipv6},
		{Limit: "a", By: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, Client: netip.MustParseAddr("::ffff:1.2.3.4")},
		{Limit: "a", By: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, Subject: string(ipv4.AsSlice())},
	}

	for _, want := range []bool{true, false} {
		for _, key := range keys {
			u.allows(want, limit.Request{Key: key, Rate: hourly(1), Cost: 1})
		}
	}
}

func neverMore(u user) {
	const workers, each, burst = 8, 50, 100

	var (
		wg             sync.WaitGroup
		alone, several atomic.Int64
	)

	for i := range workers {
		wg.Go(func() {
			for range each {
				if u.take(ask("a", hourly(burst), 1))[0].Allowed {
					alone.Add(1)
				}

				// The order of the limits must not matter.
				requests := []limit.Request{ask("b", hourly(burst), 1), ask("c", hourly(2*burst), 1)}
				if i%2 == 0 {
					slices.Reverse(requests)
				}

				if d := u.take(requests...); d[0].Allowed && d[1].Allowed {
					several.Add(1)
				}
			}
		})
	}

	wg.Wait()

	got := []int64{alone.Load(), several.Load(), u.allows(true, ask("c", hourly(2*burst), 1)).Remaining}
	if diff := cmp.Diff([]int64{burst, burst, burst - 1}, got, cmpopts.EquateEmpty()); diff != "" {
		u.Error(diff)
	}
}

// Flood offers 150 requests a second to a limit of 50 a second with a burst of 20, to each store in turn, and wants that 20 and
// 50 a second are allowed, within 5 %, in the time that it really took.
func Flood(tb testing.TB, lasts time.Duration, stores ...limit.Store) {
	tb.Helper()

	const offered, rate, burst, tolerance = 150, 50, 20, 0.05

	request := ask("flood", limit.Rate{Requests: rate, Per: time.Second, Burst: burst}, 1)
	start, allowed := time.Now(), 0.0

	for i := 0; time.Since(start) < lasts; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / offered)))

		decisions, err := stores[i%len(stores)].Take(tb.Context(), []limit.Request{request})
		if err != nil {
			tb.Fatal(err)
		}

		if decisions[0].Allowed {
			allowed++
		}
	}

	want := burst + rate*time.Since(start).Seconds()
	if allowed < want*(1-tolerance) || allowed > want*(1+tolerance) {
		tb.Errorf("%.0f allowed, want %.0f", allowed, want)
	}

	tb.Logf("%.0f allowed in %s, %.1f wanted", allowed, time.Since(start), want)
}
