package protolint_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/tool/protolint"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"

	// The policy language, which the protos here import.
	_ "github.com/portico-gateway/portico/gen/portico/v1"
)

// head is what every proto begins with. It ends with line 8.
const head = `syntax = "proto3";
package shop.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "portico/v1/policy.proto";
message Item { string item_id = 1; string name = 2 [(buf.validate.field).string.max_len = 9]; }
message Ask { string item_id = 1; string key = 2; Item item = 3; }

`

// check returns the findings in a proto, a line each, of which the message is cut after its first words.
func check(t *testing.T, text string) []string {
	t.Helper()

	files, err := protosource.Tree{"shop.proto": []byte(head + text)}.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	var found []string
	for _, f := range protolint.Check(files, protolint.Settings{}) {
		found = append(found, f.String())
	}

	return found
}

func TestCheck(t *testing.T) {
	t.Parallel()

	const public = `option (portico.v1.policy) = {access: {public: true}};`

	for _, row := range []struct {
		name string
		text string
		// want are regular expressions of the findings.
		want []string
	}{
		{"nothing_wrong", `service S {
  rpc Get(Ask) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/items/{item_id}"};
    ` + public + `
  }
  rpc Internal(Ask) returns (Item);
}`, nil},
		{"conflict", `service S {
  rpc Post(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/items/{item_id}"};
    ` + public + `
  }
  rpc Again(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/items/{key}"};
    ` + public + `
  }
}`, []string{`^shop.proto:15:33: ROUTE_CONFLICT: .*match the same paths; the other is at shop.proto:11:33$`}},
		{"unreachable", `service S {
  rpc Rest(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/{item_id=items/**}"};
    ` + public + `
  }
  rpc None(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/items"};
    ` + public + `
  }
  rpc More(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/{item_id=items/*/**}"};
    ` + public + `
  }
}`, []string{`^shop.proto:11:33: ROUTE_CONFLICT: unreachable route: POST /v1/{item_id=items/\*\*} \(/shop.v1.S/Rest\).* they are at ` +
			`shop.proto:15:33, shop.proto:19:33$`}},
		{"verbs_decide", `service S {
  rpc Rest(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/{item_id=items/**}"};
    ` + public + `
  }
  rpc Check(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/{item_id=items/**}:check"};
    ` + public + `
  }
}`, nil},
		{"hidden_by_a_page", `service S {
  rpc Docs(Ask) returns (Item) {
    option (google.api.http) = {
      post: "/docs/{item_id}"
      additional_bindings {post: "/openapi.yaml"}
      additional_bindings {post: "/{item_id}"}
    };
    ` + public + `
  }
  // portico:lint:ignore ROUTE_HIDDEN docs.openapi is off.
  rpc Meant(Ask) returns (Item) {
    option (google.api.http) = {post: "/openapi.json"};
    ` + public + `
  }
}`, []string{
			`^shop.proto:12:7: ROUTE_HIDDEN: POST /docs/{item_id} is the path of a page of the gateway, /docs/, `,
			`^shop.proto:13:28: ROUTE_HIDDEN: POST /openapi.yaml is the path of a page of the gateway, /openapi.yaml, `,
		}},
		{"routes_that_are_none", `service S {
  rpc A(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/{a"};
    ` + public + `
  }
  rpc B(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/b/{colour}"};
    ` + public + `
  }
  rpc C(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/c" body: "colour"};
    ` + public + `
  }
}`, []string{
			`^shop.proto:11:33: ROUTE_INVALID: google.api.http of /shop.v1.S/A`,
			`^shop.proto:15:33: ROUTE_INVALID: POST /v1/b/{colour}: path variable colour`,
			`^shop.proto:19:47: ROUTE_INVALID: POST /v1/c: body`,
		}},
		{"body_of_a_read", `service S {
  rpc Delete(Ask) returns (Item) {
    option (google.api.http) = {delete: "/v1/items/{item_id}" body: "*"};
    ` + public + `
  }
}`, []string{`^shop.proto:11:63: BODY_UNEXPECTED: DELETE /v1/items/{item_id} has a body`}},
		{"access", `service S {
  rpc Post(Ask) returns (Item) { option (google.api.http) = {post: "/v1/items"}; }
}`, []string{`^shop.proto:10:3: ACCESS_MISSING: POST /v1/items: nothing says who may call`}},
		{"policies", `service S {
  option (portico.v1.service) = {
    defaults: {access: {authenticated: true} rate_limits: [{requests: 1 name: "x"}]}
  };
  rpc Post(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/items"};
    option (portico.v1.policy) = {
      access: {owner: {variable: "user_id"}}
      timeout: {seconds: -1}
    };
  }
  rpc Put(Ask) returns (Item) {
    option (google.api.http) = {put: "/v1/items"};
    option (portico.v1.policy) = {
      rate_limits: [{requests: 2 name: "x"}]
    };
  }
}`, []string{
			`^shop.proto:16:16: POLICY_INVALID: access.owner: the path has no variable "user_id"`,
			`^shop.proto:17:7: POLICY_INVALID: timeout: `,
		}},
		{"limits_that_differ", `service S {
  option (portico.v1.service) = {
    defaults: {access: {authenticated: true} rate_limits: [{requests: 1 name: "x"}]}
  };
  rpc Post(Ask) returns (Item) { option (google.api.http) = {post: "/v1/items"}; }
  rpc Put(Ask) returns (Item) {
    option (google.api.http) = {put: "/v1/items"};
    option (portico.v1.policy) = {
      rate_limits: [{requests: 2 name: "x"}]
    };
  }
}`, []string{`^shop.proto:17:21: POLICY_INVALID: rate_limits\[0\]: the rate limits named "x" of`}},
		{"service", `service S {
  option (portico.v1.service) = {composite: true upstream: "shop"};
  rpc Post(Ask) returns (Item) { option (google.api.http) = {post: "/v1/items"}; ` + public + ` }
}`, []string{`^shop.proto:10:3: SERVICE_INVALID: a composite has no upstream`}},
		{"rules_of_requests", `
message Bad { string a = 1 [(buf.validate.field).cel = {id: "x" expression: "this.nothing"}]; }
service S {
  rpc Post(Bad) returns (Item) { option (google.api.http) = {post: "/v1/items"}; ` + public + ` }
}`, []string{`^shop.proto:10:29: VALIDATION_INVALID: rules of shop.v1.Bad.a: .* \(column 5 of the expression\)$`}},
		{"retries", `service S {
  rpc Unsafe(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/a"};
    option (portico.v1.policy) = {
      access: {public: true}
      retry: {max_attempts: 2}
    };
  }
  rpc Keyed(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/b"};
    option (portico.v1.policy) = {
      access: {public: true}
      headers: [{header: "idempotency-key" field: "key"}]
      retry: {max_attempts: 2}
    };
  }
  rpc Hedged(Ask) returns (Item) {
    option idempotency_level = IDEMPOTENT;
    option (google.api.http) = {put: "/v1/c"};
    option (portico.v1.policy) = {
      access: {public: true}
      retry: {hedge_after: {nanos: 1}}
    };
  }
  rpc Lies(Ask) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {delete: "/v1/d"};
    ` + public + `
  }
  rpc Silent(Ask) returns (Item) {
    option (google.api.http) = {get: "/v1/e"};
    ` + public + `
  }
}`, []string{
			`^shop.proto:14:7: RETRY_UNSAFE: POST /v1/a is to be retried or hedged`,
			`^shop.proto:30:15: RETRY_UNSAFE: PUT /v1/c is to be retried or hedged`,
			`^shop.proto:33:3: RETRY_UNSAFE: DELETE /v1/d says idempotency_level = NO_SIDE_EFFECTS`,
			`^shop.proto:38:3: SAFE_UNDECLARED: GET /v1/e`,
		}},
		{"caches", `service S {
  rpc Owned(Ask) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/a/{item_id}"};
    option (portico.v1.policy) = {
      access: {owner: {variable: "item_id"}}
      cache: {ttl: {seconds: 1} scope: CACHE_SCOPE_PUBLIC}
    };
  }
  rpc Any(Ask) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/b"};
    option (portico.v1.policy) = {
      access: {authenticated: true}
      cache: {scope: CACHE_SCOPE_PUBLIC}
    };
  }
  rpc Scoped(Ask) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/c"};
    option (portico.v1.policy) = {
      access: {scopes: {any_of: "a"}}
      cache: {scope: CACHE_SCOPE_PUBLIC}
    };
  }
}`, []string{
			`^shop.proto:15:33: CACHE_PRIVATE_SHARED: the response of GET /v1/a/{item_id} .* belongs to item_id`,
			`^shop.proto:23:15: CACHE_PRIVATE_SHARED: the response of GET /v1/b .* any authenticated caller`,
		}},
		{"lists", `
message Page { repeated Item items = 1; }
service S {
  rpc ListItems(Ask) returns (Page) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/items"};
    ` + public + `
  }
}`, []string{`^shop.proto:12:3: LIST_UNPAGED: .*: add page_size of Ask, page_token of Ask, next_page_token of Page$`}},
		{"lists_of_any_values", `
import "google/protobuf/struct.proto";
service S {
  rpc ListItems(Ask) returns (google.protobuf.ListValue) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/items"};
    ` + public + `
  }
}`, nil},
		{"location", `service S {
  rpc Post(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/items"};
    option (portico.v1.policy) = {
      access: {public: true}
      response: {status: 201 location: "/v1/items/{item_id}"}
    };
  }
}`, []string{`^shop.proto:14:30: LOCATION_UNROUTED: POST /v1/items responds with the Location /v1/items/{item_id}`}},
		{"location_of_a_resource_name", `service S {
  rpc Post(Ask) returns (Item) {
    option (google.api.http) = {post: "/v1/items"};
    option (portico.v1.policy) = {
      access: {public: true}
      response: {status: 201 location: "/v1/{item_id}"}
    };
  }
  rpc Get(Ask) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/{item_id=items/*}"};
    ` + public + `
  }
}`, nil},
		{"ignored", `
message Page { repeated Item items = 1; }
// portico:lint:ignore SAFE_UNDECLARED All of them are old.
service S {
  // ListItems lists.
  // portico:lint:ignore LIST_UNPAGED There are three.
  rpc ListItems(Ask) returns (Page) { option (google.api.http) = {get: "/v1/items"}; ` + public + ` }
}`, nil},
		{"ignored_badly", `service S {
  // portico:lint:ignore LIST_UNPAGE There are three.
  // portico:lint:ignore LIST_UNPAGED
  // portico:lint:ignore ACCESS_MISSING I know.
  rpc Post(Ask) returns (Item) { option (google.api.http) = {post: "/v1/items"}; }
}`, []string{
			`^shop.proto:13:3: ACCESS_MISSING`,
			`^shop.proto:13:3: IGNORE_INVALID: the comment ignores "LIST_UNPAGE", which is no rule; did you mean "LIST_UNPAGED"`,
			`^shop.proto:13:3: IGNORE_INVALID: the comment ignores ACCESS_MISSING, but a gateway would not start with it`,
			`^shop.proto:13:3: IGNORE_INVALID: the comment that ignores LIST_UNPAGED gives no reason`,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			found := check(t, row.text)
			if len(found) != len(row.want) {
				t.Fatalf("%d findings, want %d:\n%s", len(found), len(row.want), strings.Join(found, "\n"))
			}

			for i, want := range row.want {
				if !regexp.MustCompile(want).MatchString(found[i]) {
					t.Errorf("%s\nis not %s", found[i], want)
				}
			}
		})
	}
}

func TestOwnProtos(t *testing.T) {
	t.Parallel()

	tree, err := protosource.Dir("../../../../proto")
	if err != nil {
		t.Fatal(err)
	}

	files, err := tree.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff([]protolint.Finding(nil), protolint.Check(files, protolint.Settings{})); diff != "" {
		t.Error(diff)
	}
}

// Each rule has a name, a purpose, and a place in the list.
func TestRules(t *testing.T) {
	t.Parallel()

	seen := map[string]bool{}

	for _, r := range protolint.Rules() {
		if seen[r.Name] || r.Purpose == "" || strings.ToUpper(r.Name) != r.Name {
			t.Errorf("%+v", r)
		}

		seen[r.Name] = true
	}
}
