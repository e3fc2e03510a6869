package binding_test

import (
	"errors"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// updates has a request with a resource and one that is a resource itself.
const updates = `edition = "2023";
package updates.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/wrappers.proto";
option features.field_presence = IMPLICIT;
service Updates {
  rpc UpdateThing(Request) returns (Request) {
    option (google.api.http) = {patch: "/v1/{thing.name=things/*}" body: "thing" additional_bindings {patch: "/v1/things" body: "*"}};
  }
  rpc UpdateFlat(Flat) returns (Flat) { option (google.api.http) = {patch: "/v1/flats/{id}" body: "*"}; }
}
message Request {
  Thing thing = 1 [(buf.validate.field).required = true];
  google.protobuf.FieldMask update_mask = 2;
  string reason = 3 [(buf.validate.field).string.max_len = 2];
}
message Flat {
  string id = 1;
  string title = 2 [(buf.validate.field).required = true];
  Address address = 3 [(buf.validate.field).required = true];
  Address other = 4 [(buf.validate.field).required = true];
  google.protobuf.FieldMask update_mask = 5;
}
message Thing {
  option (buf.validate.message).cel_expression = "this.a + this.b < 10";
  option (buf.validate.message).cel = {id: "has" message: "needs an address" expression: "has(this.address) || this.a == 0"};
  option (buf.validate.message).cel = {id: "all" message: "no x" expression: "this.parts.all(p, p.text != 'x')"};
  option (buf.validate.message).oneof = {fields: ["p", "q"] required: true};
  string name = 1;
  string title = 2 [(buf.validate.field).required = true];
  int32 a = 3;
  int32 b = 4;
  Address address = 5 [(buf.validate.field).required = true];
  repeated Part parts = 6 [(buf.validate.field).repeated.min_items = 1];
  map<string, Part> by_name = 7;
  google.protobuf.StringValue wrapped = 8 [(buf.validate.field).required = true, (buf.validate.field).string.max_len = 2];
  string p = 9;
  string q = 10;
  oneof kind {
    option (buf.validate.oneof).required = true;
    string word = 11;
    Address place = 12;
  }
  Thing inner = 13;
  string optional = 14 [features.field_presence = EXPLICIT, (buf.validate.field).required = true];
  Thing ignored = 15 [(buf.validate.field).ignore = IGNORE_ALWAYS];
}
message Address {
  option (buf.validate.message).cel = {id: "differ" message: "must differ" expression: "this.street != this.city"};
  string street = 1 [(buf.validate.field).required = true];
  string city = 2 [(buf.validate.field).string.min_len = 2];
  Geo geo = 3 [(buf.validate.field).required = true];
}
message Geo { int32 lat = 1 [(buf.validate.field).required = true]; int32 lon = 2 [(buf.validate.field).required = true]; }
message Part { string text = 1 [(buf.validate.field).required = true]; }
`

// updateBinding compiles a route of the protos above.
func updateBinding(t *testing.T, name string) (*binding.Binding, schema.Route) {
	t.Helper()

	return compiled(t, updates, name)
}

// compiled is a route of a proto.
func compiled(t *testing.T, source, name string) (*binding.Binding, schema.Route) {
	t.Helper()

	files, err := protosource.Tree{"t.proto": []byte(source)}.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	routes, err := schema.Routes(files[0].Services().Get(0))
	if err != nil {
		t.Fatal(err)
	}

	validator, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}

	for _, r := range routes {
		if r.String() == name {
			b, err := binding.Compile(r, binding.Config{Codec: protojson.New(config.JSON{}.WithDefaults()), Validator: validator})
			if err != nil {
				t.Fatal(err)
			}

			return b, r
		}
	}

	t.Fatalf("there is no route %s", name)

	return nil, schema.Route{}
}

func TestRulesOfAnUpdate(t *testing.T) {
	t.Parallel()

	for name, rows := range map[string][]struct{ message, mask, faults string }{
		"PATCH /v1/{thing.name=things/*}": {
			{`"thing":{"a":9,"b":9}`, "a", ""},
			{`"thing":{"a":9,"b":9}`, "a,b", ":"},
			{`"thing":{"a":1}`, "a", ""},
			{`"thing":{"a":1}`, "a,address", ": address:"},
			{`"thing":{"a":1}`, "a,address.city", ": address.city:"},
			{`"thing":{"parts":[{"text":"x"}]}`, "parts", ":"},
			{`"thing":{}`, "parts", "parts:"},
			{`"thing":{"byName":{"k":{}}}`, "by_name.k.text", `byName["k"].text:`},
			{`"thing":{}`, "address.geo.lat", "address.geo.lat:"},
			{`"thing":{"address":{"geo":{"lat":1}}}`, "address.geo.lat", ""},
			{`"thing":{"address":{"geo":{"lat":1}}}`, "address.geo", "address.geo.lon:"},
			{`"thing":{"address":{"city":"aa","street":"aa"}}`, "address.city", ""},
			{`"thing":{"address":{"city":"aa","street":"aa"}}`, "address.city,address.street", "address:"},
			{`"thing":{}`, "wrapped", "wrapped:"},
			{`"thing":{"wrapped":"abc"}`, "wrapped.value", "wrapped:"},
			{`"thing":{}`, "p", ""},
			{`"thing":{}`, "p,q", ":"},
			{`"thing":{"place":{}}`, "place.city", "place.city:"},
			{`"thing":{}`, "word", "kind:"},
			{`"thing":{"inner":{"inner":{"a":99}}}`, "inner.inner.a", ""},
			{`"thing":{"inner":{"inner":{"a":99}}}`, "inner.inner.a,inner.inner.b", "inner.inner:"},
			{`"thing":{}`, "optional", "optional:"},
			{`"thing":{"optional":""}`, "optional", ""},
			// Once, what a mask says from the request did not count beside what it says from the resource.
			{`"thing":{"title":"t"}`, "title,thing.address", "address:"},
			{`"thing":{"title":"t"}`, "title,none", ""},
			// Once, rules within it counted if the mask had a part of it.
			{`"thing":{"ignored":{}}`, "ignored.title", ""},
			{`"thing":{"title":"t"},"reason":"abc"`, "title", "reason:"},
		},
		"PATCH /v1/things": {
			{`"reason":"a"`, "title", "thing: thing.title:"},
			{`"thing":{"title":"t"}`, "thing.title", ""},
			{`"thing":{"title":"t"},"reason":"abc"`, "thing.title", "reason:"},
		},
		// Once, required fields of the request counted that the mask does not name, and of messages that it names a part of.
		"PATCH /v1/flats/{id}": {
			{`"address":{"city":"aa"}`, "address.city", ""},
			{`"address":{"city":"a"}`, "address.city", "address.city:"},
			{`"title":"t"`, "title,address.street", "address.street:"},
			{`"title":"t","address":{"street":"s"}`, "title,address.street", ""},
			{`"id":"a"`, "title,address", "title: address:"},
			{`"address":{"city":"aa"},"other":{"city":"aa","street":"s"}`, "address.city", "other.geo:"},
		},
	} {
		b, r := updateBinding(t, name)

		for _, row := range rows {
			m := dynamicpb.NewMessage(r.Descriptor.Input())
			if err := googlejson.Unmarshal([]byte(`{`+row.message+`}`), m); err != nil {
				t.Fatal(err)
			}

			mask := m.Mutable(r.Descriptor.Input().Fields().ByName("update_mask")).Message()
			for path := range strings.SplitSeq(row.mask, ",") {
				mask.Mutable(mask.Descriptor().Fields().ByName("paths")).List().Append(protoreflect.ValueOfString(path))
			}

			var faults binding.Faults
			if err := b.Validate(t.Context(), m); err != nil && !errors.As(err, &faults) {
				t.Fatal(err)
			}

			got := make([]string, len(faults.List))
			for i, fault := range faults.List {
				got[i] = fault.Name + ":"
			}

			if strings.Join(got, " ") != row.faults {
				t.Errorf("%s %s of %s: %q, want %q", name, row.mask, row.message, got, row.faults)
			}
		}
	}
}
