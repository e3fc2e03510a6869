package policy_test

import (
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

func TestAccessString(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		access policy.Access
		want   string
	}{
		{"public", policy.Access{Public: true}, "public"},
		{"authenticated", policy.Access{}, "authenticated"},
		{"any_of", policy.Access{AnyOf: []string{"a", "b"}}, "any of a, b"},
		{"all_of", policy.Access{AllOf: []string{"a", "b"}}, "all of a, b"},
		{"owner", policy.Access{Owner: &policy.Owner{Variable: "user_id"}}, "owner user_id"},
		{
			"owner_or_scope",
			policy.Access{Owner: &policy.Owner{Variable: "user_id", UnlessScope: "users:admin"}},
			"owner user_id or users:admin",
		},
		{
			"everything",
			policy.Access{
				AnyOf: []string{"a"}, AllOf: []string{"b"}, AnyRole: []string{"c", "d"}, AllRoles: []string{"e"},
				Owner: &policy.Owner{Variable: "user_id"},
			},
			"any of a; all of b; any role of c, d; all roles of e; owner user_id",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := tt.access.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRateLimitString(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		limit policy.RateLimit
		want  string
	}{
		{"principal", policy.RateLimit{Requests: 50, Per: time.Second, Burst: 100}, "50/1s burst 100 per principal"},
		{
			"client",
			policy.RateLimit{Requests: 1, Per: time.Minute, Burst: 1, Key: policy.KeyClientAddress},
			"1/1m0s burst 1 per client",
		},
		{"global", policy.RateLimit{Requests: 2, Per: time.Hour, Burst: 3, Key: policy.KeyGlobal}, "2/1h0m0s burst 3 per global"},
		{"unknown_key", policy.RateLimit{Key: 9}, "0/0s burst 0 per unknown"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := tt.limit.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPolicyString(t *testing.T) {
	t.Parallel()

	p := policy.Policy{
		Access: policy.Access{Public: true}, Timeout: 2 * time.Second, MaxBody: 64,
		RateLimits: []policy.RateLimit{{Requests: 1, Per: time.Second, Burst: 2}, {Requests: 3, Per: time.Second, Burst: 4, Key: policy.KeyGlobal}},
	}

	want := "public; 1/1s burst 2 per principal; 3/1s burst 4 per global; 2s; body 64"
	if got := p.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
