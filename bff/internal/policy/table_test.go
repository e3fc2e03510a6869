package policy_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// leaves are the fields of a message and of those in it, "access.scopes.any_of". A duration is a value.
func leaves(message protoreflect.MessageDescriptor, prefix string) []string {
	var out []string

	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		path := prefix + string(field.Name())

		if inner := field.Message(); inner != nil && inner.ParentFile().Package() == message.ParentFile().Package() {
			out = append(out, leaves(inner, path+".")...)
		} else {
			out = append(out, path)
		}
	}

	return out
}

// A field that no row describes would be enforced, and neither shown nor compared.
func TestEachFieldHasARow(t *testing.T) {
	t.Parallel()

	message := (&porticov1.MethodPolicy{}).ProtoReflect().Descriptor()
	fields := leaves(message, "")
	rows := map[string]policy.Field{}

	for _, row := range policy.Fields() {
		if _, twice := rows[row.Path]; twice {
			t.Errorf("%s has two rows", row.Path)
		}

		rows[row.Path] = row

		top := !strings.Contains(row.Path, ".")
		within := slices.ContainsFunc(fields, func(path string) bool { return strings.HasPrefix(path, row.Path+".") })

		if !slices.Contains(fields, row.Path) && (!top || !within) {
			t.Errorf("the row %s is about no field", row.Path)
		}

		if top != (row.Name != "") {
			t.Errorf("%s: a field of MethodPolicy itself has a name for people, and only such a field: %q", row.Path, row.Name)
		}
	}

	for i := range message.Fields().Len() {
		if name := string(message.Fields().Get(i).Name()); rows[name].Path == "" {
			t.Errorf("%s has no row", name)
		}
	}

	for _, path := range fields {
		row, known := rows[path]

		switch {
		case !known:
			t.Errorf("%s has no row", path)
		case (row.Change == policy.Unnoticed) != (row.Why != ""), (row.Change != policy.Unnoticed) != (row.Rule != ""):
			t.Errorf("%s: a change is either noticed, by a rule, or there is a reason why it is not: %+v", path, row)
		}
	}

	// The upstream of a service is shown as such, and its defaults as what becomes of them.
	for _, path := range leaves((&porticov1.ServicePolicy{}).ProtoReflect().Descriptor(), "") {
		if path != "upstream" && path != "composite" && !strings.HasPrefix(path, "defaults.") {
			t.Errorf("%s of a service has no row", path)
		}
	}
}

// Limits of the same name share buckets.
func TestLimitsOfANameAgree(t *testing.T) {
	t.Parallel()

	const limits = "rate_limits: {requests: 5 %s}"

	for _, row := range []struct {
		name, first, second string
		want                string
	}{
		{"another_cost", `name: "a"`, `name: "a" cost: 2`, ""},
		{"another_burst", `name: "a"`, `name: "a" burst: 4`, `named "a" of /test.v1.S/First and /test.v1.S/Second differ in more than the cost`},
		{"another_key", `name: "a"`, `name: "a" key: RATE_LIMIT_KEY_TENANT`, `named "a" of /test.v1.S/First and /test.v1.S/Second differ in more than the cost`},
		{"closed", `name: "a"`, `name: "a" closed_on_outage: true`, `named "a" of /test.v1.S/First and /test.v1.S/Second differ in more than the cost`},
		{"without_a_name", ``, `burst: 4`, ""},
		{"twice", `name: "a"} rate_limits: {requests: 5 name: "a"`, ``, `/test.v1.S/First has two rate limits named "a"`},
	} {
		api := policy.Read([]protoreflect.ServiceDescriptor{
			limited(t, strings.Replace(limits, "%s", row.first, 1), strings.Replace(limits, "%s", row.second, 1)),
		}, nil, func(protoreflect.FullName) policy.Defaults { return policy.Defaults{} })

		switch {
		case row.want == "" && len(api.Faults) > 0:
			t.Errorf("%s: %v", row.name, policy.Error(api.Faults))
		case row.want != "" && (len(api.Faults) != 1 || !strings.Contains(api.Faults[0].Error(), row.want)):
			t.Errorf("%s: got %v, want %s", row.name, policy.Error(api.Faults), row.want)
		}
	}
}
