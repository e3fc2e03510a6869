package restdiff_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
	"github.com/portico-gateway/portico/bff/internal/tool/restdiff"

	// The policy language, which the protos here import.
	_ "github.com/portico-gateway/portico/gen/portico/v1"
)

// head is what every proto begins with. It ends with line 7.
const head = `syntax = "proto3";
package shop.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "portico/v1/policy.proto";
`

func compile(t *testing.T, text string) restdiff.Version {
	t.Helper()

	files, err := protosource.Tree{"shop.proto": []byte(head + text)}.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	return restdiff.Version{Files: files}
}

// diff returns the changes as "line:column rule: old -> new", with a minus before those that stood in the old file.
func diff(t *testing.T, before, after string) []string {
	t.Helper()

	changes, err := restdiff.Compare(compile(t, before), compile(t, after))
	if err != nil {
		t.Fatal(err)
	}

	var found []string

	for _, c := range changes {
		sign := ""
		if c.Removed {
			sign = "-"
		}

		found = append(found, fmt.Sprintf("%s%d:%d %s: %s -> %s", sign, c.Line, c.Column, c.Rule, c.Old, c.New))

		if c.Message == "" || len(c.Routes) == 0 || c.File != "shop.proto" {
			t.Errorf("%+v", c)
		}
	}

	return found
}

// one is a method in lines 10 to 13, with its policy in the last of them.
func one(http, policy string) string {
	return `message Ask { string item_id = 1; string name = 2; }
service S {
  rpc Do(Ask) returns (Ask) {
    option (google.api.http) = {` + http + `};
    option (portico.v1.policy) = {` + policy + `};
  }
}`
}

func TestPolicies(t *testing.T) {
	t.Parallel()

	const (
		path   = `post: "/v1/items/{item_id}" body: "*"`
		public = `access: {public: true} `
		caller = `access: {authenticated: true} `
	)

	for _, row := range []struct {
		name, before, after string
		want                []string
	}{
		{"nothing", one(path, public), one(path, public), nil},
		{"route_removed", one(path, public), `message Ask { string item_id = 1; string name = 2; }`, []string{
			"-11:33 ROUTE_REMOVED: POST /v1/items/{item_id} -> ",
		}},
		{"route_moved", one(path, public), one(`put: "/v2/items/{item_id}" body: "*"`, public), []string{
			"11:33 ROUTE_CHANGED: POST /v1/items/{item_id} -> PUT /v2/items/{item_id}",
		}},
		{"one_of_two_routes_removed", one(path+` additional_bindings: {put: "/v1/a"}`, public), one(path, public), []string{
			"-11:93 ROUTE_REMOVED: PUT /v1/a -> ",
		}},
		{"public_no_longer", one(path, public), one(path, caller), []string{
			"12:35 ACCESS_NARROWED: public -> authenticated",
		}},
		{"more_public", one(path, caller), one(path, public), nil},
		{"more_scopes", one(path, `access: {scopes: {any_of: ["a", "b"]}}`), one(path, `access: {scopes: {any_of: ["b", "c"] all_of: "d"}}`), []string{
			"12:62 ACCESS_NARROWED: a, b -> b, c",
			"12:72 ACCESS_NARROWED:  -> d",
		}},
		{"fewer_scopes", one(path, `access: {scopes: {any_of: ["a"] all_of: ["c", "d"]}}`), one(path, `access: {scopes: {any_of: ["a", "b"] all_of: "c"}}`), nil},
		{"roles", one(path, caller), one(path, `access: {roles: {all_of: "a"}}`), []string{"12:52 ACCESS_NARROWED:  -> a"}},
		{"owner", one(path, caller), one(path, `access: {owner: {variable: "item_id"}}`), []string{
			"12:44 ACCESS_NARROWED: authenticated -> owner item_id",
		}},
		{
			"owner_without_a_way_out",
			one(path, `access: {owner: {variable: "item_id" unless_scope: "a"}}`), one(path, `access: {owner: {variable: "item_id"}}`),
			[]string{"12:44 ACCESS_NARROWED: owner item_id or a -> owner item_id"},
		},
		{
			"owner_by_another_name",
			one(path, `access: {owner: {variable: "item_id"}}`),
			strings.ReplaceAll(one(path, `access: {owner: {variable: "item_id"}}`), "item_id", "id"),
			[]string{"8:15 RESPONSE_FIELD_RENAMED: itemId -> id"},
		},
		{"condition", one(path, public), one(path, `access: {public: true condition: "path.item_id != ''"}`), []string{
			"12:57 ACCESS_NARROWED:  -> path.item_id != ''",
		}},
		{"limit_lower", one(path, public+`rate_limits: [{requests: 50 burst: 100}]`), one(path, public+`rate_limits: [{requests: 10 burst: 100}]`), []string{
			"12:73 RATE_LIMIT_TIGHTENED: 50/1s burst 100 per principal -> 10/1s burst 100 per principal",
		}},
		{"limit_per_longer", one(path, public+`rate_limits: [{requests: 50}]`), one(path, public+`rate_limits: [{requests: 60 per: {seconds: 2}}]`), []string{
			"12:86 RATE_LIMIT_TIGHTENED: 50/1s burst 50 per principal -> 60/2s burst 60 per principal",
		}},
		{"burst_lower", one(path, public+`rate_limits: [{requests: 50 burst: 100}]`), one(path, public+`rate_limits: [{requests: 50 burst: 60}]`), []string{
			"12:86 RATE_LIMIT_TIGHTENED: 50/1s burst 100 per principal -> 50/1s burst 60 per principal",
		}},
		{"dearer", one(path, public+`rate_limits: [{requests: 50}]`), one(path, public+`rate_limits: [{requests: 50 cost: 5}]`), []string{
			"12:86 RATE_LIMIT_TIGHTENED: 50/1s burst 50 per principal -> 50/1s burst 50 per principal cost 5",
		}},
		{"limit_added", one(path, public+`rate_limits: [{requests: 50}]`), one(path, public+`rate_limits: [{requests: 9 daily: true}, {requests: 50}]`), []string{
			"12:73 RATE_LIMIT_TIGHTENED:  -> 9/day per principal",
		}},
		{"limit_looser", one(path, public+`rate_limits: [{requests: 50}]`), one(path, public+`rate_limits: [{requests: 6000 per: {seconds: 60}}]`), nil},
		{"limit_gone", one(path, public+`rate_limits: [{requests: 50}]`), one(path, public), nil},
		{"timeout", one(path, public+`timeout: {seconds: 5}`), one(path, public+`timeout: {seconds: 2}`), []string{
			"12:58 TIMEOUT_SHORTENED: 5s -> 2s",
		}},
		{"timeout_of_the_default", one(path, public), one(path, public+`timeout: {seconds: 2}`), []string{"12:58 TIMEOUT_SHORTENED: 10s -> 2s"}},
		{"timeout_longer", one(path, public+`timeout: {seconds: 5}`), one(path, public+`timeout: {seconds: 6}`), nil},
		{"body", one(path, public+`max_body_bytes: 9`), one(path, public+`max_body_bytes: 8`), []string{"12:58 BODY_LIMIT_TIGHTENED: 9 -> 8"}},
		{"unknown_fields", one(path, public+`allow_unknown_fields: true`), one(path, public), []string{
			"12:5 UNKNOWN_FIELDS_REFUSED: true -> false",
		}},
		{
			"status_and_location", one(path, public+`response: {status: 201 location: "/v1/items/{item_id}" headers: "etag"}`), one(path, public),
			[]string{
				"-12:81 LOCATION_REMOVED: /v1/items/{item_id} -> ",
				"-12:113 RESPONSE_HEADER_REMOVED: etag -> ",
				"12:5 STATUS_CHANGED: 201 -> 200",
			},
		},
		{"header", one(path, public+`headers: [{header: "If-Match" field: "name"}]`), one(path, public), []string{
			"-12:68 REQUEST_HEADER_REMOVED: If-Match -> ",
		}},
		{
			"header_of_another_field",
			one(path, public+`headers: [{header: "If-Match" field: "name"}]`),
			strings.ReplaceAll(one(path, public+`headers: [{header: "If-Match" field: "tag"}]`), "name = 2;", "name = 2; string tag = 3;"),
			[]string{"12:88 REQUEST_HEADER_CHANGED: name -> tag"},
		},
		{
			"header_of_a_field_with_another_name",
			one(path, public+`headers: [{header: "If-Match" field: "name"}]`),
			strings.ReplaceAll(one(path, public+`headers: [{header: "If-Match" field: "tag"}]`), "name = 2;", "tag = 2;"),
			[]string{"8:35 REQUEST_FIELD_RENAMED: name -> tag", "8:35 RESPONSE_FIELD_RENAMED: name -> tag"},
		},
		{
			"location_elsewhere",
			one(path, public+`response: {location: "/v1/items/{item_id}"}`), one(path, public+`response: {location: "/v2/items/{item_id}"}`),
			[]string{"12:69 LOCATION_CHANGED: /v1/items/{item_id} -> /v2/items/{item_id}"},
		},
		{
			"location_of_a_field_with_another_name",
			one(path, public+`response: {location: "/v1/items/{name}"}`),
			strings.ReplaceAll(one(path, public+`response: {location: "/v1/items/{tag}"}`), "name = 2;", "tag = 2;"),
			[]string{"8:35 REQUEST_FIELD_RENAMED: name -> tag", "8:35 RESPONSE_FIELD_RENAMED: name -> tag"},
		},
		{
			"cache_longer",
			one(`get: "/v1/{item_id}"`, public+`cache: {ttl: {seconds: 5} tags: "a"}`),
			one(`get: "/v1/{item_id}"`, public+`cache: {ttl: {seconds: 6} stale_if_error: {seconds: 1}}`),
			[]string{
				"-12:84 CACHE_LENGTHENED: a -> ",
				"12:66 CACHE_LENGTHENED: 5s -> 6s",
				"12:84 CACHE_LENGTHENED:  -> 1s",
			},
		},
		{
			"cache_shorter",
			one(`get: "/v1/{item_id}"`, public+`cache: {ttl: {seconds: 6}}`), one(`get: "/v1/{item_id}"`, public+`cache: {ttl: {seconds: 5} tags: "a"}`), nil,
		},
		{"key_required", one(path, public+`idempotency: {}`), one(path, public+`idempotency: {required: true}`), []string{
			"12:72 IDEMPOTENCY_KEY_REQUIRED:  -> true",
		}},
		{"key_no_more", one(path, public+`idempotency: {}`), one(path, public), []string{
			"-12:58 IDEMPOTENCY_WEAKENED: a key is remembered for 24h -> ",
		}},
		{"stream", one(path, public), strings.Replace(one(path, public), "returns (", "returns (stream ", 1), []string{
			"10:3 STREAM_CHANGED: one response to one request -> a stream in response to one request",
		}},
		{"body_elsewhere", one(`post: "/v1/items"`, public), one(`post: "/v1/items" body: "*"`, public), []string{
			"11:33 BODY_CHANGED: nothing -> the request",
		}},
		{"response_body", one(path, public), one(path+` response_body: "name"`, public), []string{
			"11:33 RESPONSE_BODY_CHANGED: the response -> the field name",
		}},
		{"default_of_the_service", strings.Replace(one(path, ""), "S {", "S { option (portico.v1.service) = {defaults: {access: {public: true} timeout: {seconds: 3}}};", 1), strings.Replace(one(path, ""), "S {", "S { option (portico.v1.service) = {defaults: {access: {public: true} timeout: {seconds: 2}}};", 1), []string{
			"9:78 TIMEOUT_SHORTENED: 3s -> 2s",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			if d := cmp.Diff(row.want, diff(t, row.before, row.after)); d != "" {
				t.Error(d)
			}
		})
	}
}
