package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// readMethods reads a service with these options and methods. A method is called M; its request has user_id, count and data.
func readMethods(t *testing.T, defaults policy.Defaults, text string) (policy.API, map[string]*policy.Method) {
	t.Helper()

	files, err := protosource.Tree{"m.proto": []byte(`syntax = "proto3";
package test.v1;
import "google/api/annotations.proto";
import "portico/v1/policy.proto";
message Owner { string id = 1; }
message Thing { string user_id = 1; int32 count = 2; bytes data = 3; Owner owner = 4; repeated string list = 5; }
service Things { ` + text + ` }
`)}.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	api := policy.Read(policy.Services(files), nil, func(protoreflect.FullName) policy.Defaults { return defaults })

	return api, api.Methods()
}

const methodM = "/test.v1.Things/M"

func TestMethodWithoutARoute(t *testing.T) {
	t.Parallel()

	forClients := policy.Defaults{
		Timeout: time.Second, Policy: &porticov1.MethodPolicy{Access: &porticov1.Access{Condition: "false"}},
	}

	for name, row := range map[string]struct {
		service string
		// access is what is enforced, limits how many.
		access *porticov1.Access
		limits int
	}{
		"nothing_says_who": {service: `rpc M(Thing) returns (Thing);`},
		"its_service_says_who": {
			service: `option (portico.v1.service) = {defaults: {access: {authenticated: true}}}; rpc M(Thing) returns (Thing);`,
			access:  &porticov1.Access{Authenticated: true},
		},
		"it_says_who": {
			service: `rpc M(Thing) returns (Thing) { option (portico.v1.policy) = {access: {owner: {variable: "user_id"}}}; }`,
			access:  &porticov1.Access{Authenticated: true, Owner: &porticov1.Owner{Variable: "user_id"}},
		},
		"limits_of_the_service_are_about_requests": {
			service: `option (portico.v1.service) = {defaults: {rate_limits: [{requests: 5}, {requests: 6 legs: true}]}};
				rpc M(Thing) returns (Thing);`,
			limits: 1,
		},
	} {
		api, methods := readMethods(t, forClients, row.service)
		if err := policy.Error(api.Faults); err != nil {
			t.Errorf("%s: %v", name, err)

			continue
		}

		p := methods[methodM].Policy.Effective
		if diff := cmp.Diff(row.access, p.GetAccess(), protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}

		if len(p.GetRateLimits()) != row.limits || p.GetTimeout().AsDuration() != time.Second || p.GetResponse() != nil {
			t.Errorf("%s: %v", name, p)
		}
	}
}

// What is inherited may be about another request. It must not fall away.
func TestInheritedAccessThatDoesNotFitAllowsNobody(t *testing.T) {
	t.Parallel()

	api, methods := readMethods(t, policy.Defaults{}, `
		option (portico.v1.service) = {defaults: {access: {owner: {variable: "account"} condition: "request.account == ''"}}};
		rpc M(Thing) returns (Thing);`)
	if err := policy.Error(api.Faults); err != nil {
		t.Fatal(err)
	}

	m := methods[methodM]
	if m.Policy.Effective.GetAccess().GetOwner().GetVariable() != "account" || m.Policy.Condition.String() != "false" {
		t.Errorf("%v, if %s", m.Policy.Effective.GetAccess(), m.Policy.Condition)
	}
}

func TestFaultsOfAMethodWithoutARoute(t *testing.T) {
	t.Parallel()

	for set, want := range map[string]string{
		`access: {owner: {variable: "userid"}}`:                      `access.owner: the request has no field with a text that is called "userid"; did you mean "user_id"?`,
		`access: {owner: {variable: "data"}}`:                        `access.owner: the request has no field`,
		`access: {authenticated: true condition: "path.user == ''"}`: `access.condition: the path has no variable "user"`,
		`response: {status: 201}`:                                    `response: only a method with a route can have it`,
		`headers: {header: "If-Match" field: "user_id"}`:             `headers: only a method with a route can have it`,
		`rate_limits: {requests: 5}`:                                 `rate_limits[0]: only composites call a method without a route: set legs`,
		`timeout: {seconds: -1}`:                                     `timeout: -1s is not between`,
	} {
		api, methods := readMethods(t, policy.Defaults{}, `rpc M(Thing) returns (Thing) { option (portico.v1.policy) = {`+set+`}; }`)

		err := policy.Error(api.Faults)
		if err == nil || !strings.HasPrefix(err.Error(), "policy of test.v1.Things.M: "+want) {
			t.Errorf("%s: %v", set, err)
		}

		if methods[methodM] == nil || methods[methodM].Err == nil {
			t.Errorf("%s: the method may be called", set)
		}
	}
}

func TestMethodWithSeveralRoutesHasOnePolicy(t *testing.T) {
	t.Parallel()

	api, methods := readMethods(t, policy.Defaults{}, `rpc M(Thing) returns (Thing) {
		option (google.api.http) = {
			get: "/v1/{user_id}/{count}/{data}"
			additional_bindings {post: "/v1/owners/{owner.id}/{user_id}" body: "*"}
		};
		option (portico.v1.policy) = {
			access: {owner: {variable: "user_id"} condition: "path.user_id != ''"}
			rate_limits: {requests: 5 legs: true} timeout: {seconds: 1}
		};
	}`)
	if err := policy.Error(api.Faults); err != nil {
		t.Fatal(err)
	}

	a, b := proto.CloneOf(api.Endpoints[0].Policy.Effective), proto.CloneOf(api.Endpoints[1].Policy.Effective)
	// A matter of the HTTP method.
	a.FieldSelection, b.FieldSelection = nil, nil

	if diff := cmp.Diff(a, b, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}

	var names []string
	for _, v := range methods[methodM].Variables {
		names = append(names, v.Name)
	}

	// Bytes have no text that a policy could compare.
	if diff := cmp.Diff([]string{"user_id", "count", "owner.id"}, names); diff != "" {
		t.Error(diff)
	}
}

// The methods of a composite are called by clients alone.
func TestMethodsOfCompositesAreNotThere(t *testing.T) {
	t.Parallel()

	api, methods := readMethods(t, policy.Defaults{}, `option (portico.v1.service) = {composite: true}; rpc M(Thing) returns (Thing);`)
	if len(api.Unrouted) > 0 || len(methods) > 0 {
		t.Errorf("%v", methods)
	}
}
