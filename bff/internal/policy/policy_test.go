package policy_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func TestAccessString(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		access *porticov1.Access
		want   string
	}{
		{"public", &porticov1.Access{Public: true}, "public"},
		{"authenticated", &porticov1.Access{Authenticated: true}, "authenticated"},
		{"any_of", &porticov1.Access{Scopes: &porticov1.Scopes{AnyOf: []string{"a", "b"}}}, "any of a, b"},
		{"all_of", &porticov1.Access{Scopes: &porticov1.Scopes{AllOf: []string{"a", "b"}}}, "all of a, b"},
		{"owner", &porticov1.Access{Authenticated: true, Owner: &porticov1.Owner{Variable: "user_id"}}, "owner user_id"},
		{
			"owner_or_scope",
			&porticov1.Access{Authenticated: true, Owner: &porticov1.Owner{Variable: "user_id", UnlessScope: "users:admin"}},
			"owner user_id or users:admin",
		},
		{
			"everything",
			&porticov1.Access{
				Authenticated: true, Scopes: &porticov1.Scopes{AnyOf: []string{"a"}, AllOf: []string{"b"}},
				Roles: &porticov1.Roles{AnyOf: []string{"c", "d"}, AllOf: []string{"e"}}, Owner: &porticov1.Owner{Variable: "user_id"},
			},
			"any of a; all of b; any role of c, d; all roles of e; owner user_id",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := policy.AccessText(tt.access); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRateLimitString(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		limit *porticov1.RateLimit
		want  string
	}{
		{"principal", &porticov1.RateLimit{Requests: 50, Per: durationpb.New(time.Second), Burst: 100, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL}, "50/1s burst 100 per principal"},
		{
			"client",
			&porticov1.RateLimit{Requests: 1, Per: durationpb.New(time.Minute), Burst: 1, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS},
			"1/1m0s burst 1 per client",
		},
		{"global", &porticov1.RateLimit{Requests: 2, Per: durationpb.New(time.Hour), Burst: 3, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL}, "2/1h0m0s burst 3 per global"},
		{"daily", &porticov1.RateLimit{Requests: 5, Daily: true, Cost: 2, Name: "writes", ClosedOnOutage: true, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL}, "5/day per principal cost 2 shared as writes closed on outage"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := policy.Text("rate_limits", tt.limit.ProtoReflect(), policy.Style{}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPolicyString(t *testing.T) {
	t.Parallel()

	p := policy.Policy{Effective: &porticov1.MethodPolicy{
		Access: &porticov1.Access{Public: true}, Timeout: seconds(2), MaxBodyBytes: proto.Int64(64),
		RateLimits: []*porticov1.RateLimit{
			{Requests: 1, Per: seconds(1), Burst: 2, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL},
			{Requests: 3, Per: seconds(1), Burst: 4, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL},
		},
	}}

	want := "public; 1/1s burst 2 per principal; 3/1s burst 4 per global; 2s; body 64"
	if got := p.Summary(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
