package limit_test

import (
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func withKey(rec *reqinfo.Record, id string) *reqinfo.Record {
	rec.APIKey = id

	return rec
}

func of(tenant string, rec *reqinfo.Record) *reqinfo.Record {
	rec.Principal.Tenant = tenant

	return rec
}

func TestWhoSharesABucketByAPIKeyOrTenant(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name          string
		key           porticov1.RateLimitKey
		first, second *reqinfo.Record
		want          bool
	}{
		{"other_tenant_by_principal", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, of("acme", as("i", "ada")), of("zeta", as("i", "ada")), false},
		{"same_tenant_by_principal", porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, of("acme", as("i", "ada")), of("acme", as("i", "ada")), true},
		{"same_key", porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, withKey(as("keys", "ada"), "k1"), withKey(as("keys", "bob"), "k1"), true},
		{"other_key_of_same_principal", porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, withKey(as("keys", "ada"), "k1"), withKey(as("keys", "ada"), "k2"), false},
		{"no_key_by_principal", porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, as("i", "ada"), as("i", "ada"), true},
		{"no_key_other_principal", porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, as("i", "ada"), as("i", "bob"), false},
		{"no_key_anonymous_by_address", porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, from("192.0.2.1"), from("192.0.2.1"), true},
		{"no_key_anonymous_from_elsewhere", porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, from("192.0.2.1"), from("192.0.2.2"), false},
		{"key_named_as_a_subject", porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, withKey(as("i", "bob"), "ada"), as("", "ada"), false},
		{"same_tenant", porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT, of("acme", as("i", "ada")), of("acme", as("j", "bob")), true},
		{"other_tenant_of_same_principal", porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT, of("acme", as("i", "ada")), of("zeta", as("i", "ada")), false},
		{"no_tenant_by_principal", porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT, as("i", "ada"), as("i", "ada"), true},
		{"no_tenant_other_principal", porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT, as("i", "ada"), as("i", "bob"), false},
		{"no_tenant_anonymous_from_elsewhere", porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT, from("192.0.2.1"), from("192.0.2.2"), false},
		{"tenant_named_as_a_subject", porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT, of("ada", as("i", "bob")), as("", "ada"), false},
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

func named(l *porticov1.RateLimit, name string, cost int64) *porticov1.RateLimit {
	out := proto.CloneOf(l)
	out.Name, out.Cost = name, cost

	return out
}

func TestNamedLimitsShareBuckets(t *testing.T) {
	t.Parallel()

	l := limit.New(100_000)
	read := l.Route("/s/Read", []*porticov1.RateLimit{named(perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 5), "work", 1)})(noContent())
	write := l.Route("/s/Write", []*porticov1.RateLimit{named(perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 5), "work", 3)})(noContent())
	other := l.Route("/s/Other", []*porticov1.RateLimit{named(perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 5), "other", 5)})(noContent())
	rec := from("192.0.2.1")

	wantStatus(t, "write", ask(t, write, rec), http.StatusNoContent)
	wantStatus(t, "second write", ask(t, write, rec), http.StatusTooManyRequests)
	wantStatus(t, "read", ask(t, read, rec), http.StatusNoContent)
	wantStatus(t, "second read", ask(t, read, rec), http.StatusNoContent)
	wantStatus(t, "third read", ask(t, read, rec), http.StatusTooManyRequests)
	wantStatus(t, "other", ask(t, other, rec), http.StatusNoContent)
}

func TestNameIsNoRouteOfAnother(t *testing.T) {
	t.Parallel()

	l := limit.New(100_000)
	plain := l.Route("/s/A", []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1)})(noContent())
	namesake := l.Route("/s/B", []*porticov1.RateLimit{named(perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1), "/s/A#0", 1)})(noContent())

	wantStatus(t, "plain", ask(t, plain, from("192.0.2.1")), http.StatusNoContent)
	wantStatus(t, "namesake", ask(t, namesake, from("192.0.2.1")), http.StatusNoContent)
}
