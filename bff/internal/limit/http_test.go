package limit_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// ask sends a request that the record describes.
func ask(tb testing.TB, h http.Handler, rec *reqinfo.Record) *httptest.ResponseRecorder {
	tb.Helper()

	r := httptest.NewRequestWithContext(reqinfo.NewContext(tb.Context(), rec), http.MethodGet, "/v1/users/u1", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w
}

func from(addr string) *reqinfo.Record { return &reqinfo.Record{Client: netip.MustParseAddr(addr)} }

func as(issuer, subject string) *reqinfo.Record {
	rec := from("192.0.2.1")
	rec.Principal = reqinfo.Principal{Subject: subject, Issuer: issuer}

	return rec
}

func noContent() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
}

func perHour(key porticov1.RateLimitKey, requests int64) *porticov1.RateLimit {
	return &porticov1.RateLimit{Requests: requests, Per: durationpb.New(time.Hour), Burst: requests, Key: key}
}

func wantStatus(tb testing.TB, what string, res *httptest.ResponseRecorder, want int) {
	tb.Helper()

	if res.Code != want {
		tb.Errorf("%s: status %d, want %d", what, res.Code, want)
	}
}

func limitFields(h http.Header) map[string]string {
	fields := map[string]string{}

	for _, name := range []string{
		"RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After",
	} {
		if v := h.Get(name); v != "" {
			fields[name] = v
		}
	}

	return fields
}

func TestRouteTellsWhereAClientStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := limit.New(100_000).Route("rpc", []*porticov1.RateLimit{
			{Requests: 30, Per: durationpb.New(time.Second), Burst: 30, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL},
			{Requests: 2, Per: durationpb.New(time.Minute), Burst: 2, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL},
			{Requests: 100, Per: durationpb.New(time.Hour), Burst: 100, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL},
		})(noContent())

		policies := `"global";q=30;w=1, "principal";q=2;w=60, "principal-2";q=100;w=3600`
		steps := []map[string]string{
			{
				"RateLimit": `"principal";r=1;t=30`, "RateLimit-Policy": policies,
			},
			{
				"RateLimit": `"principal";r=0;t=60`, "RateLimit-Policy": policies,
			},
			{
				"RateLimit": `"principal";r=0;t=60`, "RateLimit-Policy": policies,
				"Retry-After": "30",
			},
		}

		for i, want := range steps {
			if diff := cmp.Diff(want, limitFields(ask(t, h, as("iss", "ada")).Header())); diff != "" {
				t.Errorf("request %d: %s", i+1, diff)
			}
		}

		time.Sleep(29*time.Second + time.Nanosecond)
		wantStatus(t, "before Retry-After", ask(t, h, as("iss", "ada")), http.StatusTooManyRequests)
		time.Sleep(time.Second)
		wantStatus(t, "after Retry-After", ask(t, h, as("iss", "ada")), http.StatusNoContent)
	})
}

func TestLegacyHeadersSayTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(100_000)
		l.LegacyHeaders = true

		routes := l.Route("rpc", []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, 2)})(noContent())
		clients := l.PerClient(config.Rate{Requests: 1, Per: time.Hour, Burst: 1})(noContent())
		ask(t, clients, from("192.0.2.1"))

		for _, tt := range []struct {
			name    string
			handler http.Handler
			want    map[string]string
		}{
			{"route", routes, map[string]string{
				"RateLimit": `"principal";r=1;t=1800`, "RateLimit-Policy": `"principal";q=2;w=3600`,
				"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "1800",
			}},
			{"client", clients, map[string]string{
				"RateLimit": `"client";r=0;t=3600`, "RateLimit-Policy": `"client";q=1;w=3600`,
				"RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "3600", "Retry-After": "3600",
			}},
		} {
			if diff := cmp.Diff(tt.want, limitFields(ask(t, tt.handler, from("192.0.2.1")).Header())); diff != "" {
				t.Errorf("%s: %s", tt.name, diff)
			}
		}
	})
}

func TestRefusalIsAProblem(t *testing.T) {
	t.Parallel()

	h := limit.New(100_000).Route("rpc", []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1)})(noContent())
	ask(t, h, from("192.0.2.1"))

	rec := from("192.0.2.1")
	res := ask(t, h, rec)

	var got problem.Problem
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}

	const detail = `the rate limit "global" is reached`
	if got.Status != http.StatusTooManyRequests || got.Code != "RESOURCE_EXHAUSTED" || got.Detail != detail {
		t.Errorf("problem = %+v", got)
	}

	if code, _ := rec.Outcome(); code != codes.ResourceExhausted {
		t.Errorf("record says %s", code)
	}

	if got := res.Header().Get("Retry-After"); got != "3600" && got != "3599" {
		t.Errorf("Retry-After: %s", got)
	}
}

func TestWhoSharesABucket(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name          string
		key           porticov1.RateLimitKey
		first, second *reqinfo.Record
		want          bool
	}{
		{"same_principal_from_elsewhere", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, as("i", "ada"), func() *reqinfo.Record {
			rec := as("i", "ada")
			rec.Client = netip.MustParseAddr("198.51.100.9")

			return rec
		}(), true},
		{"other_subject", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, as("i", "ada"), as("i", "bob"), false},
		{"same_subject_of_other_issuer", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, as("i", "ada"), as("j", "ada"), false},
		{"issuer_and_subject_cut_differently", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, as("i", "jada"), as("ij", "ada"), false},
		{"anonymous_by_address", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, from("192.0.2.1"), from("192.0.2.1"), true},
		{"anonymous_from_elsewhere", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, from("192.0.2.1"), from("192.0.2.2"), false},
		{"anonymous_and_known_at_same_address", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, from("192.0.2.1"), as("i", "ada"), false},
		{"address_whoever_calls", porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, as("i", "ada"), as("i", "bob"), true},
		{"mapped_address", porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, from("192.0.2.1"), from("::ffff:192.0.2.1"), true},
		{"same_ipv6_network", porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, from("2001:db8::1"), from("2001:db8::ffff:1"), true},
		{"other_ipv6_network", porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, from("2001:db8::1"), from("2001:db8:0:1::1"), false},
		{"zone", porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, from("fe80::1%eth0"), from("fe80::1%eth1"), true},
		{"no_address", porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, &reqinfo.Record{}, &reqinfo.Record{}, true},
		{"global", porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, as("i", "ada"), from("2001:db8::1"), true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			h := limit.New(100_000).Route("rpc", []*porticov1.RateLimit{perHour(tt.key, 1)})(noContent())
			wantStatus(t, "first", ask(t, h, tt.first), http.StatusNoContent)

			want := http.StatusNoContent
			if tt.want {
				want = http.StatusTooManyRequests
			}

			wantStatus(t, "second", ask(t, h, tt.second), want)
		})
	}
}

func TestLimitsAreSeparate(t *testing.T) {
	t.Parallel()

	l := limit.New(100_000)
	one := []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1)}
	a, b := l.Route("a", one)(noContent()), l.Route("b", one)(noContent())
	both := l.Route("c", []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1), perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1)})(noContent())

	wantStatus(t, "route a", ask(t, a, from("192.0.2.1")), http.StatusNoContent)
	wantStatus(t, "route b", ask(t, b, from("192.0.2.1")), http.StatusNoContent)
	wantStatus(t, "two alike on a route", ask(t, both, from("192.0.2.1")), http.StatusNoContent)
	wantStatus(t, "route a again", ask(t, a, from("192.0.2.1")), http.StatusTooManyRequests)
}

func TestRefusedRequestCostsNoLimitAnything(t *testing.T) {
	t.Parallel()

	h := limit.New(100_000).Route("rpc", []*porticov1.RateLimit{
		perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 3), perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, 1), perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, 3),
	})(noContent())

	wantStatus(t, "ada", ask(t, h, as("i", "ada")), http.StatusNoContent)

	for range 10 {
		wantStatus(t, "ada again", ask(t, h, as("i", "ada")), http.StatusTooManyRequests)
	}

	wantStatus(t, "bob", ask(t, h, as("i", "bob")), http.StatusNoContent)
	wantStatus(t, "eve", ask(t, h, as("i", "eve")), http.StatusNoContent)
	wantStatus(t, "one_too_many", ask(t, h, as("i", "joe")), http.StatusTooManyRequests)
}

func TestPerClient(t *testing.T) {
	t.Parallel()

	h := limit.New(100_000).PerClient(config.Rate{Requests: 1, Per: time.Hour})(noContent())

	res := ask(t, h, from("192.0.2.1"))
	wantStatus(t, "first", res, http.StatusNoContent)

	if fields := limitFields(res.Header()); len(fields) != 0 {
		t.Errorf("fields on an allowed request hide those of the route: %v", fields)
	}

	res = ask(t, h, as("i", "ada"))
	wantStatus(t, "second", res, http.StatusTooManyRequests)

	if got := limitFields(res.Header())["RateLimit-Policy"]; got != `"client";q=1;w=3600` {
		t.Errorf("RateLimit-Policy: %s", got)
	}

	wantStatus(t, "other client", ask(t, h, from("192.0.2.2")), http.StatusNoContent)
}

func TestNoLimitAddsNoLayer(t *testing.T) {
	t.Parallel()

	next := &struct{ http.Handler }{}

	if got := limit.New(100_000).Route("rpc", nil)(next); got != next {
		t.Error("Route without limits adds a layer")
	}

	if got := limit.New(100_000).PerClient(config.Rate{})(next); got != next {
		t.Error("PerClient without a rate adds a layer")
	}
}

func BenchmarkRoute(b *testing.B) {
	h := limit.New(100_000).Route("/user.v1.UserService/GetUser", []*porticov1.RateLimit{
		{Requests: 1 << 30, Per: durationpb.New(time.Second), Burst: 1 << 30, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL},
		{Requests: 1 << 30, Per: durationpb.New(time.Second), Burst: 1 << 30, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL},
	})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequestWithContext(reqinfo.NewContext(b.Context(), as("i", "ada")), http.MethodGet, "/", nil)
	w := httptest.NewRecorder()

	b.ReportAllocs()

	for b.Loop() {
		clear(w.Header())
		h.ServeHTTP(w, r)
	}
}
