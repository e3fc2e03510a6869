package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// method makes the descriptor of test.v1.Things.Get with these options; nil for none.
func method(tb testing.TB, service *porticov1.ServicePolicy, own *porticov1.MethodPolicy) protoreflect.MethodDescriptor {
	tb.Helper()

	serviceOptions, methodOptions := &descriptorpb.ServiceOptions{}, &descriptorpb.MethodOptions{}
	if service != nil {
		proto.SetExtension(serviceOptions, porticov1.E_Service, service)
	}

	if own != nil {
		proto.SetExtension(methodOptions, porticov1.E_Policy, own)
	}

	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("test.proto"), Package: new("test.v1"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("Thing")}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: new("Things"), Options: serviceOptions,
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: new("Get"), Options: methodOptions,
				InputType: new(".test.v1.Thing"), OutputType: new(".test.v1.Thing"),
			}},
		}},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}

	return file.Services().Get(0).Methods().Get(0)
}

var (
	public        = &porticov1.Access{Public: true}
	authenticated = &porticov1.Access{Authenticated: true}
)

func seconds(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }

func TestCompileTakesEachFieldFromTheNearestThatSetsIt(t *testing.T) {
	t.Parallel()

	defaults := policy.Defaults{Timeout: 10 * time.Second, MaxBody: 1 << 20}
	fifty := []*porticov1.RateLimit{{Requests: 50, Burst: 100}}

	type m = porticov1.MethodPolicy

	tests := []struct {
		name    string
		general *m
		service *m
		own     *m
		want    string
	}{
		{
			"configuration_where_nobody_says_anything", nil, nil, &m{Access: authenticated},
			"authenticated; 10s; body 1048576",
		},
		{
			"service_where_the_method_is_silent", nil,
			&m{Access: public, RateLimits: fifty, Timeout: seconds(2), MaxBodyBytes: proto.Int64(64)}, nil,
			"public; 50/1s burst 100 per principal; 2s; body 64",
		},
		{
			"method_over_service", nil,
			&m{Access: authenticated, RateLimits: fifty, Timeout: seconds(2), MaxBodyBytes: proto.Int64(64)},
			&m{
				Access: public, RateLimits: []*porticov1.RateLimit{{Requests: 1}}, Timeout: seconds(300),
				MaxBodyBytes: proto.Int64(128),
			},
			"public; 1/1s burst 1 per principal; 5m0s; body 128",
		},
		{
			"method_over_service_field_by_field", nil,
			&m{Access: authenticated, RateLimits: fifty, Timeout: seconds(2)}, &m{Timeout: seconds(3)},
			"authenticated; 50/1s burst 100 per principal; 3s; body 1048576",
		},
		{
			"access_as_a_whole", nil,
			&m{Access: &porticov1.Access{Scopes: &porticov1.Scopes{AllOf: []string{"a"}}}},
			&m{Access: &porticov1.Access{Scopes: &porticov1.Scopes{AnyOf: []string{"b"}}}},
			"any of b; 10s; body 1048576",
		},
		{
			"general_policy_for_foreign_protos", &m{Access: authenticated, RateLimits: fifty}, nil, nil,
			"authenticated; 50/1s burst 100 per principal; 10s; body 1048576",
		},
		{
			"service_over_general", &m{Access: public, Timeout: seconds(1)}, &m{Access: authenticated}, nil,
			"authenticated; 1s; body 1048576",
		},
		{
			"method_over_general", &m{Access: public}, nil, &m{Access: authenticated},
			"authenticated; 10s; body 1048576",
		},
		{
			"no_body_at_all", nil, nil, &m{Access: authenticated, MaxBodyBytes: proto.Int64(0)},
			"authenticated; 10s; body 0",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			d := defaults
			d.Policy = tt.general

			var service *porticov1.ServicePolicy
			if tt.service != nil {
				service = &porticov1.ServicePolicy{Defaults: tt.service}
			}

			got, err := compile(method(t, service, tt.own), at{}, d)
			if err != nil {
				t.Fatal(err)
			}

			if text := got.Summary(); text != tt.want {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

func TestCompileAccess(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		access *porticov1.Access
		want   *porticov1.Access
	}{
		{"public", public, public},
		{"authenticated", authenticated, authenticated},
		{
			"both_kinds_of_scopes",
			&porticov1.Access{Scopes: &porticov1.Scopes{AnyOf: []string{"a", "b"}, AllOf: []string{"c"}}},
			&porticov1.Access{Authenticated: true, Scopes: &porticov1.Scopes{AnyOf: []string{"a", "b"}, AllOf: []string{"c"}}},
		},
		{
			"owner", &porticov1.Access{Owner: &porticov1.Owner{Variable: "user_id"}},
			&porticov1.Access{Authenticated: true, Owner: &porticov1.Owner{Variable: "user_id"}},
		},
		{
			"owner_with_an_exception", &porticov1.Access{Owner: &porticov1.Owner{Variable: "user_id", UnlessScope: "admin"}},
			&porticov1.Access{Authenticated: true, Owner: &porticov1.Owner{Variable: "user_id", UnlessScope: "admin"}},
		},
		{
			"owner_with_scopes",
			&porticov1.Access{
				Authenticated: true, Scopes: &porticov1.Scopes{AllOf: []string{"c"}}, Owner: &porticov1.Owner{Variable: "user_id"},
			},
			&porticov1.Access{
				Authenticated: true, Scopes: &porticov1.Scopes{AllOf: []string{"c"}}, Owner: &porticov1.Owner{Variable: "user_id"},
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got, err := compile(
				method(t, nil, &porticov1.MethodPolicy{Access: tt.access}), at{Variables: []string{"order_id", "user_id"}}, policy.Defaults{})
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tt.want, got.Effective.GetAccess(), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCompileRateLimits(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		in   *porticov1.RateLimit
		want *porticov1.RateLimit
	}{
		{"per_second_and_principal", &porticov1.RateLimit{Requests: 5}, &porticov1.RateLimit{Requests: 5, Per: durationpb.New(time.Second), Burst: 5, Cost: 1, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL}},
		{
			"all_set",
			&porticov1.RateLimit{Requests: 5, Per: seconds(60), Burst: 7, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL},
			&porticov1.RateLimit{Requests: 5, Per: durationpb.New(time.Minute), Burst: 7, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, Cost: 1},
		},
		{
			"by_principal", &porticov1.RateLimit{Requests: 1, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL},
			&porticov1.RateLimit{Requests: 1, Per: durationpb.New(time.Second), Burst: 1, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, Cost: 1},
		},
		{
			"by_address", &porticov1.RateLimit{Requests: 1, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS},
			&porticov1.RateLimit{Requests: 1, Per: durationpb.New(time.Second), Burst: 1, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, Cost: 1},
		},
		{
			"of_everything_new",
			&porticov1.RateLimit{
				Requests: 5, Burst: 9, Cost: 3, Name: "writes", ClosedOnOutage: true, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT,
			},
			&porticov1.RateLimit{
				Requests: 5, Per: durationpb.New(time.Second), Burst: 9, Cost: 3, Name: "writes", ClosedOnOutage: true, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT,
			},
		},
		{
			"daily", &porticov1.RateLimit{Requests: 5, Daily: true, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY},
			&porticov1.RateLimit{Requests: 5, Cost: 1, Daily: true, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY},
		},
		{
			"largest", &porticov1.RateLimit{Requests: 1<<31 - 1, Per: seconds(31 * 24 * 3600), Burst: 1<<31 - 1},
			&porticov1.RateLimit{Requests: 1<<31 - 1, Per: durationpb.New(31 * 24 * time.Hour), Burst: 1<<31 - 1, Cost: 1, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got, err := compile(
				method(t, nil, &porticov1.MethodPolicy{Access: public, RateLimits: []*porticov1.RateLimit{tt.in}}),
				at{}, policy.Defaults{})
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff([]*porticov1.RateLimit{tt.want}, got.Effective.GetRateLimits(), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCompileNamesEveryFault(t *testing.T) {
	t.Parallel()

	type m = porticov1.MethodPolicy

	limits := func(l *porticov1.RateLimit) *m {
		return &m{Access: public, RateLimits: []*porticov1.RateLimit{{Requests: 1}, l}}
	}

	tests := []struct {
		name string
		own  *m
		want []string
	}{
		{"no_options", nil, []string{"no portico.v1 access policy"}},
		{"empty_access", &m{Access: &porticov1.Access{}}, []string{"access: says nothing"}},
		{
			"public_and_authenticated", &m{Access: &porticov1.Access{Public: true, Authenticated: true}},
			[]string{"access: public goes with a condition only"},
		},
		{
			"public_with_scopes",
			&m{Access: &porticov1.Access{Public: true, Scopes: &porticov1.Scopes{AnyOf: []string{"a"}}}},
			[]string{"access: public goes with a condition only"},
		},
		{
			"public_with_an_owner", &m{Access: &porticov1.Access{Public: true, Owner: &porticov1.Owner{Variable: "user_id"}}},
			[]string{"access: public goes with a condition only"},
		},
		{
			"scopes_without_a_scope", &m{Access: &porticov1.Access{Scopes: &porticov1.Scopes{}}},
			[]string{"access.scopes: names no scope"},
		},
		{
			"empty_scope_in_any_of", &m{Access: &porticov1.Access{Scopes: &porticov1.Scopes{AnyOf: []string{"a", ""}}}},
			[]string{`the scope "" is empty`},
		},
		{
			"empty_scope_in_all_of", &m{Access: &porticov1.Access{Scopes: &porticov1.Scopes{AllOf: []string{""}}}},
			[]string{`the scope "" is empty`},
		},
		{
			"owner_that_the_path_does_not_name", &m{Access: &porticov1.Access{Owner: &porticov1.Owner{Variable: "account_id"}}},
			[]string{`access.owner: the path has no variable "account_id"`},
		},
		{
			"owner_without_a_variable", &m{Access: &porticov1.Access{Owner: &porticov1.Owner{UnlessScope: "admin"}}},
			[]string{`access.owner: the path has no variable ""`},
		},
		{"no_requests", limits(&porticov1.RateLimit{Burst: 1}), []string{"rate_limits[1].requests: 0 is not between"}},
		{
			"negative_requests_and_burst", limits(&porticov1.RateLimit{Requests: -1, Burst: -2}),
			[]string{"rate_limits[1].requests: -1", "rate_limits[1].burst: -2"},
		},
		{"too_many_requests", limits(&porticov1.RateLimit{Requests: 1 << 31, Burst: 1}), []string{"rate_limits[1].requests: 2147483648"}},
		{"too_large_a_burst", limits(&porticov1.RateLimit{Requests: 1, Burst: 1 << 31}), []string{"rate_limits[1].burst: 2147483648"}},
		{"per_no_time", limits(&porticov1.RateLimit{Requests: 1, Per: seconds(0)}), []string{"rate_limits[1].per: 0s"}},
		{
			"per_more_than_a_month", limits(&porticov1.RateLimit{Requests: 1, Per: seconds(31*24*3600 + 1)}),
			[]string{"rate_limits[1].per: 744h0m1s is not between 1ns and 744h0m0s"},
		},
		{"key_of_the_future", limits(&porticov1.RateLimit{Requests: 1, Key: 9}), []string{"rate_limits[1].key: 9 is unknown"}},
		{"no_timeout", &m{Access: public, Timeout: seconds(0)}, []string{"timeout: 0s"}},
		{"negative_timeout", &m{Access: public, Timeout: seconds(-1)}, []string{"timeout: -1s"}},
		{"malformed_timeout", &m{Access: public, Timeout: &durationpb.Duration{Seconds: 1, Nanos: -1}}, []string{"timeout: "}},
		{"timeout_beyond_time", &m{Access: public, Timeout: seconds(1 << 62)}, []string{"timeout: "}},
		{"negative_body", &m{Access: public, MaxBodyBytes: proto.Int64(-1)}, []string{"max_body_bytes: -1 is negative"}},
		{
			"all_at_once",
			&m{
				Access: &porticov1.Access{
					Public: true, Scopes: &porticov1.Scopes{}, Owner: &porticov1.Owner{Variable: "account_id"},
				},
				RateLimits: []*porticov1.RateLimit{{}, {Requests: 1, Key: 9}}, Timeout: seconds(-1), MaxBodyBytes: proto.Int64(-1),
			},
			[]string{
				"access.scopes: names no scope", "access.owner: ", "access: public goes with a condition only",
				"rate_limits[0].requests: 0", "rate_limits[0].burst: 0", "rate_limits[1].key: 9", "timeout: -1s", "max_body_bytes: -1",
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got, err := compile(method(t, nil, tt.own), at{Variables: []string{"order_id", "user_id"}}, policy.Defaults{})
			if err == nil {
				t.Fatalf("compiled to %+v", got)
			}

			if got.Effective != nil {
				t.Errorf("a policy beside an error: %v", got.Effective)
			}

			text := strings.ReplaceAll(err.Error(), "route  /v1/{order_id}/{user_id}: policy of test.v1.Things.Get: ", "")

			lines := strings.Split(text, "\n")
			if len(lines) != len(tt.want) {
				t.Errorf("%d faults, want %d: %v", len(lines), len(tt.want), err)
			}

			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
		})
	}
}

func TestNoAccessPolicyIsTold(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		own  *porticov1.MethodPolicy
		want bool
	}{
		{"no_options", nil, true},
		{"options_without_access", &porticov1.MethodPolicy{Timeout: seconds(1)}, true},
		{"access_that_is_wrong", &porticov1.MethodPolicy{Access: &porticov1.Access{}}, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := compile(method(t, nil, tt.own), at{}, policy.Defaults{})
			if err == nil || errors.Is(err, policy.ErrNoAccess) != tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Compile merges into a message of its own: the options of a linked descriptor are shared by the whole process.
func TestCompileLeavesDescriptorsAlone(t *testing.T) {
	t.Parallel()

	service := orderv1.File_order_v1_order_proto.Services().Get(0)
	before := proto.Clone(service.Options())
	general := &porticov1.MethodPolicy{MaxBodyBytes: proto.Int64(1), RateLimits: []*porticov1.RateLimit{{Requests: 1}}}

	for range 2 {
		got, err := compile(service.Methods().ByName("CreateOrder"), at{}, policy.Defaults{Policy: general})
		if err != nil {
			t.Fatal(err)
		}

		if want := "; 10/1s burst 20 per principal; 2s; body 1; retried 3 attempts with Idempotency-Key"; !strings.HasSuffix(got.Summary(), want) {
			t.Errorf("got %q, want …%q", got.Summary(), want)
		}
	}

	if !proto.Equal(before, service.Options()) || len(general.GetRateLimits()) != 1 || general.GetAccess() != nil {
		t.Error("Compile changed what it was given")
	}
}

func TestServiceOptions(t *testing.T) {
	t.Parallel()

	with := policy.Service(orderv1.File_order_v1_order_proto.Services().Get(0))
	if with.GetUpstream() != "order" {
		t.Errorf("upstream: got %q", with.GetUpstream())
	}

	without, ok := method(t, nil, nil).Parent().(protoreflect.ServiceDescriptor)
	if !ok {
		t.Fatal("a method without a service")
	}

	if got := policy.Service(without); got == nil || got.GetComposite() || got.GetUpstream() != "" {
		t.Errorf("got %v", got)
	}
}
