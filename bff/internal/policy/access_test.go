package policy_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

func compileAccess(t *testing.T, access *porticov1.Access) (string, error) {
	t.Helper()

	p, err := compile(method(t, nil, &porticov1.MethodPolicy{Access: access}), at{Variables: []string{"user_id"}}, policy.Defaults{Timeout: time.Second})
	if err != nil {
		return "", err
	}

	return policy.AccessText(p.Effective.GetAccess()), nil
}

func TestCompileRolesAndConditions(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		name   string
		access *porticov1.Access
		want   string
	}{
		{"roles", &porticov1.Access{Roles: &porticov1.Roles{AnyOf: []string{"a", "b"}}}, "any role of a, b"},
		{"condition_alone_needs_a_token", &porticov1.Access{Condition: "path.user_id != ''"}, "authenticated; if path.user_id != ''"},
		{"condition_of_anyone", &porticov1.Access{Public: true, Condition: "path.user_id\n != ''"}, "public; if path.user_id != ''"},
	} {
		got, err := compileAccess(t, row.access)
		if err != nil || got != row.want {
			t.Errorf("%s: %q, %v", row.name, got, err)
		}
	}

	for _, row := range []struct {
		name   string
		access *porticov1.Access
		want   string
	}{
		{"no_role", &porticov1.Access{Roles: &porticov1.Roles{}}, "access.roles: names no role"},
		{"empty_role", &porticov1.Access{Roles: &porticov1.Roles{AllOf: []string{""}}}, `access.roles.all_of[0]: the role "" is empty`},
		{"scope_with_a_space", &porticov1.Access{Scopes: &porticov1.Scopes{AnyOf: []string{"a", "b c"}}}, `access.scopes.any_of[1]: the scope "b c" has a space`},
		{"scope_with_a_quote", &porticov1.Access{Scopes: &porticov1.Scopes{AllOf: []string{`a"`}}}, `access.scopes.all_of[0]: the scope "a\"" has the character '"'`},
		{"scope_with_a_letter", &porticov1.Access{Scopes: &porticov1.Scopes{AllOf: []string{"größe"}}}, `has the character 'ö'`},
		{"scope_with_a_tab", &porticov1.Access{Scopes: &porticov1.Scopes{AllOf: []string{"a\tb"}}}, `has the character '\t'`},
		{"role_with_a_space", &porticov1.Access{Roles: &porticov1.Roles{AnyOf: []string{" admin"}}}, `access.roles.any_of[0]: the role " admin" has a space`},
		{"role_with_a_backslash", &porticov1.Access{Roles: &porticov1.Roles{AnyOf: []string{`a\b`}}}, `access.roles.any_of[0]: the role "a\\b" has the character '\\'`},
		{
			"exempt_scope_with_a_space", &porticov1.Access{Owner: &porticov1.Owner{Variable: "user_id", UnlessScope: "a b"}},
			`access.owner.unless_scope: the scope "a b" has a space`,
		},
		{"public_with_roles", &porticov1.Access{Public: true, Roles: &porticov1.Roles{AnyOf: []string{"a"}}}, "public goes with a condition only"},
		{"condition_that_is_none", &porticov1.Access{Condition: "path.user_id"}, "access.condition: expression is not a bool"},
		{"condition_on_another_variable", &porticov1.Access{Condition: "path.id == ''"}, `access.condition: the path has no variable "id"`},
		{"condition_on_a_field_that_is_not_there", &porticov1.Access{Condition: "request.x == 1"}, "undefined field 'x'"},
	} {
		if _, err := compileAccess(t, row.access); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %s", row.name, err, row.want)
		}
	}
}

// Whatever stands in the options, what compiles is never more open than it says.
func FuzzCompile(f *testing.F) {
	for _, seed := range []*porticov1.MethodPolicy{
		{Access: public},
		{Access: &porticov1.Access{Public: true, Condition: "true"}},
		{Access: &porticov1.Access{Scopes: &porticov1.Scopes{AnyOf: []string{"a"}}, Owner: &porticov1.Owner{Variable: "user_id"}}},
		{Access: &porticov1.Access{Roles: &porticov1.Roles{AllOf: []string{"a"}}}, RateLimits: []*porticov1.RateLimit{{Requests: 1}}},
		{Access: authenticated, Timeout: seconds(1), MaxBodyBytes: new(int64(7))},
	} {
		wire, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}

		f.Add(wire)
	}

	f.Fuzz(func(t *testing.T, wire []byte) {
		in := &porticov1.MethodPolicy{}
		if proto.Unmarshal(wire, in) != nil {
			return
		}

		p, err := compile(method(t, nil, in), at{Variables: []string{"user_id"}}, policy.Defaults{Timeout: time.Second, MaxBody: 1})
		if err != nil {
			return
		}

		access, effective := in.GetAccess(), p.Effective.GetAccess()
		if effective.GetPublic() != access.GetPublic() || effective.GetPublic() == effective.GetAuthenticated() ||
			effective.GetPublic() && (access.GetScopes() != nil || access.GetRoles() != nil || access.GetOwner() != nil) {
			t.Errorf("%v became %v", access, effective)
		}

		if (p.Condition == nil) != (access.GetCondition() == "") || (effective.GetOwner() == nil) != (access.GetOwner() == nil) {
			t.Errorf("%v lost a demand: %v", access, effective)
		}

		if p.Effective.GetTimeout().AsDuration() <= 0 || p.Effective.GetMaxBodyBytes() < 0 {
			t.Errorf("%v became %v", in, p.Effective)
		}
	})
}
