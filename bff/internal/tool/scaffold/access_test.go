package scaffold_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/tool/scaffold"
)

// guarded are services with access policies of all kinds.
const guarded = `syntax = "proto3";

package guarded.v1;

import "google/api/annotations.proto";
import "portico/v1/policy.proto";

option go_package = "example.com/guarded/v1;guardedv1";

service OwnedService {
  option (portico.v1.service) = {upstream: "owned" defaults: {access: {owner: {variable: "user_id" unless_scope: "owned:admin"}}}};
  rpc GetOwned(Request) returns (Owned) {
    option (google.api.http) = {get: "/v1/users/{user_id}/owned"};
  }
}

service SecretService {
  option (portico.v1.service) = {upstream: "secret" defaults: {access: {owner: {variable: "user_id" unless_scope: "secret:admin"}}}};
  rpc GetSecret(Request) returns (Secret) {
    option (google.api.http) = {get: "/v1/users/{user_id}/secret"};
  }
}

service ThingService {
  option (portico.v1.service) = {upstream: "thing" defaults: {access: {authenticated: true}}};
  rpc GetThing(ThingRequest) returns (Thing) {
    option (google.api.http) = {get: "/v1/things/{thing_id}"};
  }
}

service StaffService {
  option (portico.v1.service) = {upstream: "staff" defaults: {access: {
    scopes: {any_of: ["a", "b"] all_of: ["c"]} roles: {any_of: ["support"]}
  }}};
  rpc GetStaff(ThingRequest) returns (Staff) {
    option (google.api.http) = {get: "/v1/things/{thing_id}/staff"};
  }
}

service AuditService {
  option (portico.v1.service) = {upstream: "audit" defaults: {access: {scopes: {any_of: ["b", "d"] all_of: ["e"]}}}};
  rpc GetAudit(ThingRequest) returns (Audit) {
    option (google.api.http) = {get: "/v1/things/{thing_id}/audit"};
  }
}

service OtherService {
  option (portico.v1.service) = {upstream: "other" defaults: {access: {scopes: {any_of: ["x", "y"]}}}};
  rpc GetOther(ThingRequest) returns (Other) {
    option (google.api.http) = {get: "/v1/things/{thing_id}/other"};
  }
}

message Request {
  string user_id = 1;
}

message ThingRequest {
  string thing_id = 1;
}

message Owned {}
message Secret {}
message Thing {}
message Staff {}
message Audit {}
message Other {}
`

// Who may call the route may make its calls, so that the gateway starts without a warning.
func TestAccessOfAComposite(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct{ over, want, scope string }{
		"authenticated":       {"thing", `{authenticated: true}`, ""},
		"nothing_said":        {"tea", `{authenticated: true}`, ""},
		"owner":               {"owned", `{ owner: { variable: "user_id" unless_scope: "owned:admin" } }`, ""},
		"owners":              {"owned,secret", `{ owner: {variable: "user_id"} }`, ""},
		"owner_and_another":   {"owned,thing", `{ owner: { variable: "user_id" unless_scope: "owned:admin" } }`, ""},
		"owner_not_in_a_path": {"thing,owned", `{authenticated: true}`, ""},
		"scopes_and_roles": {
			"staff,owned",
			`{ scopes: { any_of: [ "a", "b" ] all_of: ["c"] } roles: { any_of: ["support"] } }`, "c,a",
		},
		"scopes_in_common": {
			"staff,audit,thing",
			`{ scopes: { any_of: ["b"] all_of: [ "c", "e" ] } roles: { any_of: ["support"] } }`, "c,e,b",
		},
		"other_scopes": {"audit,other", `{ scopes: { any_of: [ "b", "d" ] all_of: [ "e", "x" ] } }`, "e,x,b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := repository(t)
			write(t, filepath.Join(dir, "proto/guarded/v1/guarded.proto"), guarded)

			plan, err := scaffold.Composite(t.Context(), scaffold.CompositeOptions{Dir: dir, Name: "mypage", Over: strings.Split(row.over, ",")})
			if err != nil {
				t.Fatal(err)
			}

			_, got, _ := strings.Cut(string(plan.Files[0].Text), "access: ")
			got, _, _ = strings.Cut(got, "rate_limits")
			got = strings.Join(strings.Fields(got), " ")

			if diff := cmp.Diff(row.want, got); diff != "" || plan.Scope != row.scope {
				t.Errorf("%s\nscope %q\n%s", diff, plan.Scope, plan.Files[0].Text)
			}
		})
	}
}
