package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// read makes the descriptor of a method without side effects, write that of one with them. Both take a CreateOrderRequest and
// answer with an Order.
func read(t *testing.T, own *porticov1.MethodPolicy) protoreflect.MethodDescriptor {
	t.Helper()

	return orderMethod(t, own, descriptorpb.MethodOptions_NO_SIDE_EFFECTS, false)
}

func write(t *testing.T, own *porticov1.MethodPolicy) protoreflect.MethodDescriptor {
	t.Helper()

	return orderMethod(t, own, descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN, false)
}

func orderMethod(
	t *testing.T, own *porticov1.MethodPolicy, level descriptorpb.MethodOptions_IdempotencyLevel, stream bool,
) protoreflect.MethodDescriptor {
	t.Helper()

	options := &descriptorpb.MethodOptions{IdempotencyLevel: level.Enum()}

	own = proto.CloneOf(own)
	own.Access = authenticated
	proto.SetExtension(options, porticov1.E_Policy, own)

	file := protodesc.ToFileDescriptorProto(orderv1.File_order_v1_order_proto)
	file.Name, file.Package, file.Options = new("test.proto"), new("test.v1"), nil
	file.Dependency = append(file.Dependency, orderv1.File_order_v1_order_proto.Path())
	file.MessageType, file.EnumType = nil, nil
	file.Service = []*descriptorpb.ServiceDescriptorProto{{
		Name: new("Orders"),
		Method: []*descriptorpb.MethodDescriptorProto{{
			Name: new("Do"), Options: options, ServerStreaming: &stream,
			InputType: new(".order.v1.CreateOrderRequest"), OutputType: new(".order.v1.Order"),
		}},
	}}

	made, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}

	return made.Services().Get(0).Methods().Get(0)
}

func keyed(p *porticov1.MethodPolicy) *porticov1.MethodPolicy {
	p.Headers = []*porticov1.HeaderBinding{{Header: "idempotency-key", Field: "request_id"}}

	return p
}

func TestRetriesAreForWhatIsSafe(t *testing.T) {
	t.Parallel()

	standard := policy.Retry{
		MaxAttempts: 3, InitialBackoff: 25 * time.Millisecond, MaxBackoff: 250 * time.Millisecond, Codes: []codes.Code{codes.Unavailable},
	}
	none := &porticov1.MethodPolicy{}
	off := &porticov1.MethodPolicy{Retry: &porticov1.Retry{MaxAttempts: 1}}
	custom := &porticov1.MethodPolicy{Retry: &porticov1.Retry{
		MaxAttempts: 5, InitialBackoff: seconds(1), MaxBackoff: seconds(2), Codes: []string{"ABORTED"}, HedgeAfter: seconds(3),
	}}

	for _, tt := range []struct {
		name   string
		method protoreflect.MethodDescriptor
		want   *policy.Retry
	}{
		{"read", read(t, none), &standard},
		{"idempotent", orderMethod(t, none, descriptorpb.MethodOptions_IDEMPOTENT, false), &standard},
		{"stream_of_answers", orderMethod(t, none, descriptorpb.MethodOptions_NO_SIDE_EFFECTS, true), &standard},
		{"write", write(t, none), nil},
		{"turned_off", read(t, off), nil},
		{"turned_off_for_a_write", write(t, off), nil},
		{"as_declared", read(t, custom), &policy.Retry{
			MaxAttempts: 5, InitialBackoff: time.Second, MaxBackoff: 2 * time.Second, Codes: []codes.Code{codes.Aborted},
			HedgeAfter: 3 * time.Second,
		}},
	} {
		got, err := compile(tt.method, at{Method: "GET"}, policy.Defaults{Timeout: time.Second})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if diff := cmp.Diff(tt.want, got.Retry); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}

	got, err := compile(write(t, keyed(&porticov1.MethodPolicy{})), at{Method: "POST"}, policy.Defaults{Timeout: time.Second})
	if err != nil || got.Retry == nil || got.Retry.Key.String() != "requestId" || got.Retry.HedgeAfter != 0 {
		t.Errorf("write with a key: got %+v, %v", got.Retry, err)
	}
}

func TestIdempotencyKeysAreRememberedForADay(t *testing.T) {
	t.Parallel()

	own := &porticov1.MethodPolicy{Idempotency: &porticov1.Idempotency{}}

	got, err := compile(write(t, own), at{Method: "POST"}, policy.Defaults{Timeout: time.Second})
	if ttl := got.Effective.GetIdempotency().GetTtl().AsDuration(); err != nil || ttl != 24*time.Hour {
		t.Errorf("got %s, %v", ttl, err)
	}
}

func TestCacheIsForReads(t *testing.T) {
	t.Parallel()

	cached := &porticov1.MethodPolicy{Cache: &porticov1.Cache{
		Ttl: seconds(5), Scope: porticov1.CacheScope_CACHE_SCOPE_PUBLIC, StaleIfError: seconds(60), Tags: []string{"orders:{user_id}"},
	}}
	drops := &porticov1.MethodPolicy{Cache: &porticov1.Cache{Invalidates: []string{"orders:{user_id}", "all"}}}
	both := policy.Defaults{Policy: &porticov1.MethodPolicy{Cache: &porticov1.Cache{
		Ttl: seconds(5), Invalidates: []string{"orders:{user_id}"},
	}}}

	tests := []struct {
		name     string
		method   protoreflect.MethodDescriptor
		verb     string
		defaults policy.Defaults
		want     string
	}{
		{"read", read(t, cached), "POST", policy.Defaults{}, "cached 5s for all"},
		{"get_of_unknown_effects", write(t, cached), "GET", policy.Defaults{}, "cached 5s for all"},
		{"coalescing_alone", read(t, &porticov1.MethodPolicy{Cache: &porticov1.Cache{}}), "GET", policy.Defaults{}, "coalesced"},
		{"write", write(t, drops), "POST", policy.Defaults{}, "invalidates orders:{user_id}, all"},
		{"read_by_default", read(t, &porticov1.MethodPolicy{}), "GET", both, "cached 5s for each principal"},
		{"write_by_default", write(t, &porticov1.MethodPolicy{}), "POST", both, "invalidates orders:{user_id}"},
	}
	for _, tt := range tests {
		tt.defaults.Timeout = time.Second

		got, err := compile(tt.method, at{Method: tt.verb}, tt.defaults)
		if err != nil || !strings.HasSuffix(got.Summary(), tt.want) {
			t.Errorf("%s: got %q, %v", tt.name, got.Summary(), err)
		}
	}
}

func TestTagsTakeTheResponseFirst(t *testing.T) {
	t.Parallel()

	p, err := compile(write(t, &porticov1.MethodPolicy{Cache: &porticov1.Cache{Invalidates: []string{"o:{user_id}:{order_id}", "note:{note}"}}}),
		at{Method: "POST"}, policy.Defaults{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}

	request := (&orderv1.CreateOrderRequest{UserId: "asked", Note: new("n")}).ProtoReflect()

	for _, tt := range []struct {
		name     string
		tag      int
		response protoreflect.Message
		want     string
		ok       bool
	}{
		{"response", 0, (&orderv1.Order{UserId: "real", OrderId: "1"}).ProtoReflect(), "o:real:1", true},
		{"request_where_the_response_is_silent", 0, (&orderv1.Order{OrderId: "1"}).ProtoReflect(), "o:asked:1", true},
		{"nowhere", 0, (&orderv1.Order{}).ProtoReflect(), "", false},
		{"no_response", 0, nil, "", false},
		{"request_alone", 1, nil, "note:n", true},
	} {
		if got, ok := p.Invalidates[tt.tag].Text(request, tt.response); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %q, %v", tt.name, got, ok)
		}
	}
}

func TestTrafficFaults(t *testing.T) {
	t.Parallel()

	withCache := func(c *porticov1.Cache) *porticov1.MethodPolicy { return &porticov1.MethodPolicy{Cache: c} }
	withRetry := func(r *porticov1.Retry) *porticov1.MethodPolicy { return &porticov1.MethodPolicy{Retry: r} }
	withLimit := func(l *porticov1.RateLimit) *porticov1.MethodPolicy {
		return &porticov1.MethodPolicy{RateLimits: []*porticov1.RateLimit{l}}
	}
	ranged := withCache(&porticov1.Cache{Ttl: seconds(1)})
	ranged.Headers = []*porticov1.HeaderBinding{{Header: "If-None-Match", Field: "note"}}

	for _, tt := range []struct {
		name   string
		method protoreflect.MethodDescriptor
		want   string
	}{
		{"retried_write", write(t, withRetry(&porticov1.Retry{MaxAttempts: 2})), "retry: the method says neither"},
		{"hedged_write", write(t, keyed(withRetry(&porticov1.Retry{HedgeAfter: seconds(1)}))), "retry.hedge_after: the method has side effects"},
		{"attempts", read(t, withRetry(&porticov1.Retry{MaxAttempts: 6})), "retry.max_attempts: 6 is not between 1 and 5"},
		{"code", read(t, withRetry(&porticov1.Retry{Codes: []string{"OK"}})), `retry.codes[0]: "OK" is not the name of an error`},
		{"backoff", read(t, withRetry(&porticov1.Retry{MaxBackoff: &durationpb.Duration{}})), "retry.max_backoff: 0s is not between"},
		{"cached_write", write(t, withCache(&porticov1.Cache{Ttl: seconds(1)})), "cache: the method has side effects"},
		{"conditional", read(t, ranged), "cache: the method handles conditional requests itself"},
		{"stale_without_ttl", read(t, withCache(&porticov1.Cache{StaleIfError: seconds(1)})), "cache: responses cannot be stale without a ttl"},
		{"scope", read(t, withCache(&porticov1.Cache{Scope: 9})), "cache.scope: 9 is unknown"},
		{"tag", read(t, withCache(&porticov1.Cache{Tags: []string{"a", "{nothing}"}})), "cache.tags[1]: neither order.v1.Order nor"},
		{"open_brace", read(t, withCache(&porticov1.Cache{Tags: []string{"{a"}})), `cache.tags[0]: "{a" is empty or has a brace`},
		{"reading_invalidates", read(t, withCache(&porticov1.Cache{Invalidates: []string{"a"}})), "cache.invalidates: only methods with side effects"},
		{
			"stream", orderMethod(t, withCache(&porticov1.Cache{Ttl: seconds(1)}), descriptorpb.MethodOptions_NO_SIDE_EFFECTS, true),
			"cache: streams cannot have it",
		},
		{"breaker", read(t, &porticov1.MethodPolicy{Breaker: &porticov1.Breaker{SlowRatio: 2}}), "breaker: failure_ratio and slow_ratio"},
		{"probes", read(t, &porticov1.MethodPolicy{Breaker: &porticov1.Breaker{Probes: -1}}), "breaker: min_requests and probes"},
		{"priority", read(t, &porticov1.MethodPolicy{Priority: 9}), "priority: 9 is unknown"},
		{"cost", read(t, withLimit(&porticov1.RateLimit{Requests: 1, Cost: 2})), "rate_limits[0].cost: 2 is not between 1 and the burst, 1"},
		{"daily", read(t, withLimit(&porticov1.RateLimit{Requests: 1, Daily: true, Burst: 2})), "rate_limits[0]: a daily quota has no per"},
	} {
		_, err := compile(tt.method, at{Method: "POST"}, policy.Defaults{Timeout: time.Second})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %s and nothing else", tt.name, err, tt.want)
		}
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()

	for selector, want := range map[string]bool{
		"*": true, "test.*": true, "test.v1.*": true, "test.v1.Orders.*": true, "test.v1.Orders.Do": true,
		"test.v1.Orders": false, "test.v1.Orders.D*": false, "test.v1.Orders.Don.*": false, "est.v1.*": false, "test.v1.Orders.Doing": false,
	} {
		override := policy.Override{Selector: selector, Policy: &porticov1.MethodPolicy{Timeout: seconds(7)}}
		own := &porticov1.MethodPolicy{Timeout: seconds(3)}

		got, err := compile(write(t, own), at{}, policy.Defaults{Overrides: []policy.Override{override}})
		if err != nil || (got.Effective.GetTimeout().AsDuration() == 7*time.Second) != want {
			t.Errorf("%s: got %s, %v", selector, got.Effective.GetTimeout().AsDuration(), err)
		}
	}
}
