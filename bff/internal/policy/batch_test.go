package policy_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// shop is a service with a method for a single item that has the option, and one for many.
type shop struct {
	// get and many are the fields of the requests, found those of the response for many items.
	get, many, found string
	// option is what Get says of batches; empty: that GetMany is the method.
	option string
	// route is the google.api.http option of Get.
	route string
	// defaults are those of the service.
	defaults string
	// methods replaces the methods of the service.
	methods string
}

const shopMethods = `
  rpc Get(GetRequest) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (portico.v1.policy) = {access: {public: true} OPTION};
    ROUTE
  }
  rpc GetMany(ManyRequest) returns (ManyResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Create(GetRequest) returns (Item);
  rpc Watch(ManyRequest) returns (stream ManyResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
`

func (s shop) service(t *testing.T) protoreflect.ServiceDescriptor {
	t.Helper()

	or := func(text, fallback string) string {
		if text == "" {
			return fallback
		}

		return text
	}

	text := `syntax = "proto3"; package shop.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "portico/v1/policy.proto";
message Item { string item_id = 1; string name = 2; View view = 3; }
enum View { VIEW_UNSPECIFIED = 0; }
message GetRequest { ` + or(s.get, "string item_id = 1;") + ` }
message ManyRequest { ` + or(s.many, "repeated string item_ids = 1;") + ` }
message ManyResponse { ` + or(s.found, "repeated Item items = 1;") + ` }
service Shop { option (portico.v1.service) = {` + s.defaults + `};` +
		strings.NewReplacer("OPTION", or(s.option, `batch: {method: "GetMany"}`), "ROUTE", s.route).Replace(or(s.methods, shopMethods)) + `}`

	files, err := protosource.Tree{"shop.proto": []byte(text)}.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	return files[0].Services().Get(0)
}

// faults are those of the policies of the service.
func (s shop) faults(t *testing.T) []*policy.Fault {
	t.Helper()

	return policy.Read([]protoreflect.ServiceDescriptor{s.service(t)}, nil,
		func(protoreflect.FullName) policy.Defaults { return policy.Defaults{} }).Faults
}

// shape is what was found, as "list<key common,… -> list by identity,…".
func shape(b *policy.Batch) string {
	if b == nil {
		return "none"
	}

	out := string(b.Items.Name())
	if b.Key != nil {
		out += "<" + string(b.Key.Name())
	}

	for _, pair := range b.Common {
		out += " " + string(pair.Single.Name())
	}

	out += " -> " + string(b.Results.Name())
	for _, pair := range b.Identity {
		out += " by " + string(pair.Other.Name())
	}

	return out
}

func TestBatchShapes(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, want string
		shop       shop
	}{
		{"ids", "item_ids<item_id -> items by item_id", shop{}},
		{"names", "names<name -> items by name", shop{get: "string name = 1;", many: "repeated string names = 2;"}},
		{"plural_of_y", "keys_of_entries<entry -> items", shop{get: "bytes entry = 1;", many: "repeated bytes keys_of_entries = 2;"}},
		{"plural_of_two", "cities<city -> items", shop{get: "int64 city = 1; int64 zip = 2;", many: "repeated int64 cities = 2;"}},
		{
			"parent", "names<name parent -> items by name",
			shop{get: "string parent = 1; string name = 2;", many: "string parent = 4; repeated string names = 2;"},
		},
		{
			"common_list_and_enum", "names<name view fields -> items by name",
			shop{
				get:  "string name = 1; View view = 2; repeated string fields = 3; string extra = 4;",
				many: "View view = 1; repeated string names = 2; repeated string fields = 3; string page = 5;",
			},
		},
		{
			"requests", "requests parent -> items by name",
			shop{get: "string parent = 1; string name = 2; View view = 3;", many: "string parent = 4; repeated GetRequest requests = 2;"},
		},
		{"of_another_type_is_not_common", "names<name -> items by name", shop{
			get: "bytes parent = 1; string name = 2;", many: "string parent = 4; repeated string names = 2;",
		}},
		{"as_many_as_the_rules_allow", "item_ids<item_id -> items by item_id", shop{
			many: "repeated string item_ids = 1 [(buf.validate.field).repeated.max_items = 100];",
		}},
		{"rules_without_a_bound", "item_ids<item_id -> items by item_id", shop{
			many: "repeated string item_ids = 1 [(buf.validate.field).repeated.min_items = 1];",
		}},
		{"none", "none", shop{option: "priority: PRIORITY_LOW"}},
		{"wrong", "none", shop{option: `batch: {method: "Nothing"}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := shape(policy.BatchOf(tt.shop.service(t).Methods().ByName("Get"))); got != tt.want {
				t.Errorf("got %q, want %q: %v", got, tt.want, policy.Error(tt.shop.faults(t)))
			}
		})
	}
}

func TestBatchFaults(t *testing.T) {
	t.Parallel()

	const composite = "composite: true defaults: {access: {public: true}}"

	named := func(method string) shop { return shop{option: `batch: {method: "` + method + `"}`} }

	for _, tt := range []struct {
		name, want string
		shop       shop
	}{
		{"unknown", `batch.method: shop.v1.Shop has no method "GetMay"; did you mean "GetMany"?`, named("GetMay")},
		{"empty", `batch.method: shop.v1.Shop has no method ""`, shop{option: "batch: {}"}},
		{"itself", "batch.method: is the method itself", named("Get")},
		{"with_side_effects", "batch.method: Create must have idempotency_level = NO_SIDE_EFFECTS", named("Create")},
		{"stream", "batch.method: Watch streams, but both methods must return a single message", named("Watch")},
		{
			"own_side_effects", "batch.method: Get must have idempotency_level = NO_SIDE_EFFECTS",
			shop{methods: strings.Replace(shopMethods, "option idempotency_level = NO_SIDE_EFFECTS;", "", 1)},
		},
		{"composite", "batch.method: composites call backends alone, and this is a composite", shop{defaults: composite}},
		{"size", "batch.max_size: 1 is not between 2 and 1000", shop{option: `batch: {method: "GetMany" max_size: 1}`}},
		{"large_size", "batch.max_size: 1001 is not between", shop{option: `batch: {method: "GetMany" max_size: 1001}`}},
		{
			"larger_than_the_rules_allow", "batch.max_size: 50 is more than the rules of shop.v1.ManyRequest.item_ids allow, which are max_items: 49",
			shop{option: `batch: {method: "GetMany" max_size: 50}`, many: "repeated string item_ids = 1 [(buf.validate.field).repeated.max_items = 49];"},
		},
		{
			"default_is_larger", "batch.max_size: 100 is more than",
			shop{many: "repeated GetRequest requests = 1 [(buf.validate.field).repeated = {min_items: 1 max_items: 99}];"},
		},
		{"no_list", "batch.method: shop.v1.ManyRequest must have either one list of shop.v1.GetRequest, or one list of the values of" +
			" a field of that, and has none", shop{many: "string item_id = 1;"}},
		{"two_lists", "and has ids, item_ids", shop{many: "repeated string ids = 1; repeated string item_ids = 2;"}},
		{"both_lists", "and has requests, ids", shop{many: "repeated string ids = 1; repeated GetRequest requests = 2;"}},
		{
			"no_key", "shop.v1.GetRequest has no field whose values could be the ids of shop.v1.ManyRequest",
			shop{get: "string item_id = 1; string name = 2;", many: "repeated string ids = 1;"},
		},
		{"key_of_another_type", "has no field whose values could be the item_ids", shop{get: "int32 item_id = 1;"}},
		{"no_results", "shop.v1.ManyResponse must have one list of shop.v1.Item, which Get returns, and has none", shop{found: "Item item = 1;"}},
		{"two_results", "which Get returns, and has items, others", shop{found: "repeated Item items = 1; repeated Item others = 2;"}},
		{
			"default", "batch: must be set for a method itself, and not as a default",
			shop{defaults: `defaults: {batch: {method: "GetMany"}}`, option: "timeout: {seconds: 1}", route: `option (google.api.http) = {get: "/v1/a"};`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			// Of a composite, methods without a route are nobody's.
			if faults := tt.shop.faults(t); tt.name != "composite" && tt.name != "default" {
				if len(faults) != 1 || !strings.Contains(faults[0].Error(), tt.want) {
					t.Errorf("without a route: got %v, want %s", policy.Error(faults), tt.want)
				}

				if text := policy.Error(faults).Error(); !strings.HasPrefix(text, "policy of shop.v1.Shop.Get: ") {
					t.Errorf("without a route: got %s", text)
				}
			}

			routed := tt.shop
			routed.route = `option (google.api.http) = {get: "/v1/a"};`

			if faults := routed.faults(t); len(faults) != 1 || !strings.Contains(faults[0].Error(), tt.want) {
				t.Errorf("with a route: got %v, want %s", policy.Error(faults), tt.want)
			}
		})
	}
}

func TestBatchInWords(t *testing.T) {
	t.Parallel()

	get := shop{}.service(t).Methods().ByName("Get")
	for option, want := range map[string]string{
		`batch: {method: "GetMany"}`:             "batched by GetMany",
		`batch: {method: "GetMany" max_size: 7}`: "batched by GetMany up to 7",
	} {
		s := shop{option: option}

		p, err := compile(s.service(t).Methods().ByName("Get"), at{Method: "GET"}, policy.Defaults{})
		if err != nil || !strings.Contains(p.Summary(), want) {
			t.Errorf("%s: got %q, %v, want %s", get.Name(), p.Summary(), err, want)
		}
	}
}
