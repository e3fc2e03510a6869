package binding_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
)

const oneofs = `syntax = "proto3";
package t.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
service S {
  rpc Whole(M) returns (M) { option (google.api.http) = {post: "/v1/whole/{id}" body: "*" additional_bindings {get: "/v1/query/{id}"}}; }
  rpc Part(Holder) returns (M) { option (google.api.http) = {post: "/v1/part" body: "m"}; }
  rpc Member(M) returns (M) { option (google.api.http) = {post: "/v1/member/{id}" body: "bank_transfer"}; }
  rpc Ruled(Rule) returns (M) {
    option (google.api.http) = {post: "/v1/rule" body: "*" additional_bindings {get: "/v1/rule"} additional_bindings {post: "/v1/rule/b" body: "b_b"}};
  }
}
message M {
  string id = 1;
  oneof kind { option (buf.validate.oneof).required = true; string card = 2; Inner bank_transfer = 3; }
  repeated M many = 4;
  map<string, M> by_name = 5;
  Rule rule = 6;
}
message Holder { M m = 1; Rule rule = 2; }
message Inner { string iban = 1; }
message Rule {
  option (buf.validate.message).oneof = {fields: ["a_a", "b_b"], required: true};
  option (buf.validate.message).oneof = {fields: ["b_b", "c_c"]};
  string a_a = 1;
  repeated string b_b = 2;
  bool c_c = 3;
}`

// Once, what was said of a missing member of a oneof named neither the oneof nor its members.
func TestOneofsAreNamed(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ route, message, want string }{
		{"POST /v1/whole/{id}", `{}`, "body kind: set one of card, bankTransfer"},
		{"POST /v1/whole/{id}", `{"card":"c","many":[{"card":"c"},{}]}`, "body many[1].kind: set one of card, bankTransfer"},
		{"POST /v1/whole/{id}", `{"card":"c","byName":{"x":{}}}`, `body byName["x"].kind: set one of card, bankTransfer`},
		{"POST /v1/whole/{id}", `{"card":"c","rule":{}}`, "body rule: set one of aA, bB"},
		{"POST /v1/whole/{id}", `{"card":"c","rule":{"aA":"a","bB":["b"]}}`, "body rule: set only one of aA, bB"},
		{"GET /v1/query/{id}", `{}`, "query kind: set one of card, bankTransfer"},
		{"POST /v1/part", `{"m":{}}`, "body kind: set one of card, bankTransfer"},
		{"POST /v1/part", `{"rule":{}}`, "query rule: set one of aA, bB"},
		{"POST /v1/member/{id}", `{}`, "body : set one of card, bankTransfer"},
		{"POST /v1/rule", `{}`, "body : set one of aA, bB"},
		{"GET /v1/rule", `{}`, "query : set one of aA, bB"},
		{"GET /v1/rule", `{"bB":["b"],"cC":true}`, "query : set only one of bB, cC"},
		{"POST /v1/rule/b", `{"aA":"a","bB":["b"],"cC":true}`, "body : set only one of aA, bB; body : set only one of bB, cC"},
	} {
		b, r := compiled(t, oneofs, row.route)

		m := dynamicpb.NewMessage(r.Descriptor.Input())
		if err := protojson.Unmarshal([]byte(row.message), m); err != nil {
			t.Fatal(err)
		}

		var faults binding.Faults
		if err := b.Validate(t.Context(), m); !errors.As(err, &faults) || faults.Error() != row.want {
			t.Errorf("%s with %s: %v, want %s", row.route, row.message, err, row.want)
		}
	}
}
