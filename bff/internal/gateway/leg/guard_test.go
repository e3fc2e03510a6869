package leg_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func TestAccess(t *testing.T) {
	t.Parallel()

	const (
		owner     = `access: {owner: {variable: "user_id" unless_scope: "admin"}}`
		scopes    = `access: {scopes: {any_of: ["a", "b"]}}`
		path      = `access: {authenticated: true condition: "path.user_id == principal.subject"}`
		condition = `access: {public: true condition: "request.count < 5"}`
	)

	var nobody reqinfo.Principal

	for name, row := range map[string]struct {
		policy string
		as     reqinfo.Principal
		userID string
		count  int32
		want   codes.Code
	}{
		"public":                       {`access: {public: true}`, nobody, "", 0, codes.OK},
		"nobody":                       {`access: {authenticated: true}`, nobody, "", 0, codes.Unauthenticated},
		"somebody":                     {`access: {authenticated: true}`, alice(), "", 0, codes.OK},
		"no_scope":                     {scopes, alice("c"), "", 0, codes.PermissionDenied},
		"one_scope":                    {scopes, alice("b"), "", 0, codes.OK},
		"no_role":                      {`access: {roles: {all_of: "r"}}`, alice("r"), "", 0, codes.PermissionDenied},
		"owner":                        {owner, alice(), "alice", 0, codes.OK},
		"another":                      {owner, alice(), "bob", 0, codes.PermissionDenied},
		"owner_that_is_not_set":        {owner, reqinfo.Principal{Subject: "of_the_composite"}, "", 0, codes.PermissionDenied},
		"staff":                        {owner, alice("admin"), "bob", 0, codes.OK},
		"nobody_and_no_owner":          {owner, nobody, "", 0, codes.Unauthenticated},
		"condition_on_path":            {path, alice(), "alice", 0, codes.OK},
		"condition_on_path_of_another": {path, alice(), "bob", 0, codes.PermissionDenied},
		"condition_on_path_not_set":    {path, alice(), "", 0, codes.PermissionDenied},
		"value_that_no_path_can_have":  {path, reqinfo.Principal{Subject: "a/../b"}, "a/../b", 0, codes.PermissionDenied},
		"condition_on_request":         {condition, nobody, "", 4, codes.OK},
		"condition_on_another_request": {condition, nobody, "", 5, codes.PermissionDenied},
		"rules_after_the_condition":    {condition, nobody, "", 51, codes.PermissionDenied},
		"rules":                        {`access: {public: true}`, nobody, "", 51, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := guard(t, row.policy, nil)

			// Twice: what is reused between calls must not matter.
			for range 2 {
				c.called = nil
				err := c.call(t.Context(), row.as, c.thing(row.userID, row.count))

				if status.Code(err) != row.want || len(c.called) > 0 != (row.want == codes.OK) {
					t.Errorf("%v, and %d calls", err, len(c.called))
				}
			}
		})
	}
}

func TestNothingIsAskedWithoutAuthentication(t *testing.T) {
	t.Parallel()

	c := guard(t, `access: {scopes: {any_of: "a"} condition: "request.count == 7"}`, func(config *leg.Config) { config.AuthDisabled = true })

	if err := c.call(t.Context(), reqinfo.Principal{}, c.thing("", 0)); err != nil {
		t.Error(err)
	}

	if err := c.call(t.Context(), reqinfo.Principal{}, c.thing("", 51)); status.Code(err) != codes.InvalidArgument {
		t.Errorf("rules do not count: %v", err)
	}
}

// The client reads what the route would say, and no name of a field that it has not set. The log gets the cause.
func TestTextsOfRefusals(t *testing.T) {
	t.Parallel()

	c := guard(t, `access: {owner: {variable: "user_id"}}`, nil)

	denied := c.call(t.Context(), alice(), c.thing("bob", 0))
	if got := problem.From(denied); got.Detail != "the caller may not act for this user" || got.Status != 403 {
		t.Errorf("%d %s", got.Status, got.Detail)
	}

	if !strings.Contains(denied.Error(), `subject "alice", path variable user_id`) {
		t.Errorf("the log gets %q", denied)
	}

	broken := c.call(t.Context(), alice(), c.thing("alice", 51))
	if got := problem.From(broken); strings.Contains(got.Detail, "count") || len(got.Errors) > 0 || got.Status != 400 {
		t.Errorf("%d %s %v", got.Status, got.Detail, got.Errors)
	}

	if text := broken.Error(); !strings.Contains(text, "request of /test.v1.Things/M: validation error: count: ") || !strings.Contains(text, "50") {
		t.Errorf("the log gets %q", text)
	}
}

// What an update does not change may be empty.
func TestRulesOfAnUpdate(t *testing.T) {
	t.Parallel()

	api := policy.Read([]protoreflect.ServiceDescriptor{userv1.File_user_v1_user_proto.Services().Get(0)}, nil,
		func(protoreflect.FullName) policy.Defaults { return policy.Defaults{Timeout: time.Second} })
	c := leg.New(leg.Config{Methods: api.Methods()})
	ctx := reqinfo.NewContext(t.Context(), &reqinfo.Record{Principal: alice()})

	for name, row := range map[string]struct {
		user *userv1.User
		want codes.Code
	}{
		"valid":   {&userv1.User{DisplayName: "Ada"}, codes.OK},
		"invalid": {&userv1.User{}, codes.InvalidArgument},
	} {
		err := c.Unary(ctx, userv1.UserService_UpdateUser_FullMethodName, &userv1.UpdateUserRequest{
			UserId: "alice", User: row.user, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
		}, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil })
		if status.Code(err) != row.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPolicyThatCannotBeEnforced(t *testing.T) {
	t.Parallel()

	c := guard(t, `access: {public: true}`, func(config *leg.Config) {
		config.Methods[methodM] = &policy.Method{Endpoint: policy.Endpoint{Route: config.Methods[methodM].Route}, Err: errors.New("typo")}
	})

	if err := c.call(t.Context(), alice(), c.thing("alice", 0)); status.Code(err) != codes.Internal ||
		status.Convert(err).Message() == "typo" || !strings.Contains(err.Error(), "policy of /test.v1.Things/M: typo") {
		t.Errorf("%v", err)
	}
}

func TestMethodWithoutARouteComparesFields(t *testing.T) {
	t.Parallel()

	c := guardOf(t, `rpc M(Thing) returns (Thing) { option (portico.v1.policy) = {
		access: {owner: {variable: "user_id"} condition: "path.count == '7'"}
	}; }`, nil)

	for want, request := range map[codes.Code][2]any{codes.OK: {"alice", int32(7)}, codes.PermissionDenied: {"alice", int32(8)}} {
		userID, _ := request[0].(string)
		count, _ := request[1].(int32)

		if err := c.call(t.Context(), alice(), c.thing(userID, count)); status.Code(err) != want {
			t.Errorf("%v: %v", request, err)
		}
	}
}

func TestMethodWithoutPolicy(t *testing.T) {
	t.Parallel()

	c := guard(t, `access: {public: true}`, func(config *leg.Config) { config.Methods = nil })

	if err := c.call(t.Context(), reqinfo.Principal{}, c.thing("", 51)); err != nil || len(c.called) != 1 {
		t.Errorf("%v, and %d calls", err, len(c.called))
	}
}

// gRPC accepts a method without the slash at its beginning.
func TestAnotherSpellingOfTheMethod(t *testing.T) {
	t.Parallel()

	c := guard(t, `access: {authenticated: true}`, nil)

	err := c.Unary(t.Context(), methodM[1:], c.thing("", 0), nil, nil,
		func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil })
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("%v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := guard(t, `access: {authenticated: true}
			rate_limits: [{requests: 1}, {requests: 1 burst: 2 per: {seconds: 10} legs: true}]`, nil)

		bob := reqinfo.Principal{Subject: "bob"}

		// The first limit does not count legs, and a refused call costs nothing.
		for range 3 {
			if err := c.call(t.Context(), alice(), c.thing("", 51)); status.Code(err) != codes.InvalidArgument {
				t.Fatal(err)
			}
		}

		for range 2 {
			if err := c.call(t.Context(), alice(), c.thing("", 0)); err != nil {
				t.Fatal(err)
			}
		}

		err := c.call(t.Context(), alice(), c.thing("", 0))
		if status.Code(err) != codes.ResourceExhausted || len(c.called) != 2 {
			t.Fatalf("%v, and %d calls", err, len(c.called))
		}

		if got := problem.From(err); got.Detail != `the rate limit "principal-2" is reached` || got.RetryAfter != 10*time.Second {
			t.Errorf("%s, again in %s", got.Detail, got.RetryAfter)
		}

		// What is left of the error on the way out of the process says it, too.
		details := status.Convert(err).Details()
		if info, ok := details[0].(*errdetails.RetryInfo); !ok || info.GetRetryDelay().AsDuration() != 10*time.Second {
			t.Errorf("%v", details)
		}

		if err := c.call(t.Context(), bob, c.thing("", 0)); err != nil {
			t.Errorf("another caller: %v", err)
		}

		time.Sleep(10 * time.Second)

		if err := c.call(t.Context(), alice(), c.thing("", 0)); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := guard(t, `access: {public: true} timeout: {seconds: 2}`, nil)

		for _, row := range []struct{ request, want time.Duration }{{0, 2 * time.Second}, {5 * time.Second, 2 * time.Second}, {time.Second, time.Second}} {
			ctx := t.Context()

			if row.request > 0 {
				var cancel context.CancelFunc

				ctx, cancel = context.WithTimeout(ctx, row.request)
				defer cancel()
			}

			if err := c.call(ctx, alice(), c.thing("", 0)); err != nil || c.left != row.want {
				t.Errorf("of %s, the call has %s: %v", row.request, c.left, err)
			}
		}
	})
}
