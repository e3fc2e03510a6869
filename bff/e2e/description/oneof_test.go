package description_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/openapitest"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// Once, it was in words alone that a member of a oneof has to be there.
func TestRequiredOneofs(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, `service S {
		rpc Do(M) returns (N) { option (google.api.http) = {post: "/v1/m" body: "*" additional_bindings: {post: "/v1/m/{a}" body: "*"}}; }
		rpc Within(N) returns (N) { option (google.api.http) = {post: "/v1/n/{m.inner.key}" body: "*"}; }
	}
	message M { oneof o { option (buf.validate.oneof).required = true; string a = 1; Inner inner = 2; string c = 3; } string text = 4; }
	message Inner { string key = 1; string text = 2; }
	message N { M m = 1 [(buf.validate.field).required = true]; }`, policy.Policy{}, openapi.Config{})

	openapitest.Is(t, doc, "components schemas t.v1.MInput oneOf", `[{"required":["a"],"properties":{"a":{"type":"string"}}},
		{"required":["inner"],"properties":{"inner":{"$ref":"#/components/schemas/t.v1.InnerInput"}}},
		{"required":["c"],"properties":{"c":{"type":"string"}}}]`)
	openapitest.Is(t, doc, "components schemas t.v1.MInput not", `null`)
	openapitest.Is(t, doc, "paths /v1/m post requestBody required", `true`)

	// What the path sets is nowhere else, however deep it is.
	openapitest.Is(t, doc, "paths /v1/n/{m_inner_key} post requestBody content application/json schema", `{"$ref":"#/components/schemas/t.v1.NInput"}`)
	openapitest.Is(t, doc, "components schemas t.v1.NInput required", `null`)
	openapitest.Is(t, doc, "components schemas t.v1.NInput properties m $ref", `"#/components/schemas/t.v1.MInput-without-a-c-inner.key"`)
	openapitest.Is(t, doc, "components schemas t.v1.InnerInput-without-key properties", `{"text":{"type":"string"}}`)
}

// Once, the members beside the one that the path sets were allowed, and refused by the gateway. Those beside one that a header sets
// are allowed, as the header may be left out.
func TestOneofsThatThePathDecides(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, `service S {
		rpc Do(M) returns (M) { option (google.api.http) = {post: "/v1/m/{a}" body: "*"
			additional_bindings: {post: "/v1/i/{inner.key}" body: "*"} additional_bindings: {get: "/v1/m/{a}"}}; }
		rpc Rule(R) returns (R) { option (google.api.http) = {post: "/v1/r/{a}" body: "*" additional_bindings: {post: "/v1/n/{c}" body: "*"}}; }
	}
	message M { oneof o { option (buf.validate.oneof).required = true; string a = 1; Inner inner = 2; int64 c = 3; } string text = 4; }
	message R { option (buf.validate.message).oneof = {fields: ["a", "b", "c"]}; string a = 1; repeated string b = 2; int64 c = 3; string text = 4; }
	message Inner { string key = 1; string text = 2; }`, policy.Policy{}, openapi.Config{})

	openapitest.Is(t, doc, "components schemas t.v1.MInput-without-a-c-inner properties", `{"text":{"type":"string"}}`)
	openapitest.Is(t, doc, "components schemas t.v1.MInput-without-a-c-inner oneOf", `null`)
	openapitest.Is(t, doc, "components schemas t.v1.RInput-without-a-b-c properties", `{"text":{"type":"string"}}`)
	judged(t, compiled(t, doc, "t.v1.MInput-without-a-c-inner.key"), []string{`{}`, `{"inner":{}}`, `{"inner":{"text":""}}`}, []string{`{"a":""}`, `{"c":"1"}`})
	// A number in the path may be zero, which a rule counts as not set.
	judged(t, compiled(t, doc, "t.v1.RInput-without-c"), []string{`{}`, `{"a":"x"}`, `{"b":["x"]}`}, []string{`{"a":"x","b":["x"]}`})

	for i, name := range []string{"a", "text"} {
		openapitest.Is(t, doc, fmt.Sprintf("paths /v1/m/{a} get parameters %d name", i), `"`+name+`"`)
	}
}

// What is said of oneofs is what the gateway does: one member of a required one, at most one of the others, whether protobuf or a rule
// has them. A rule counts a field without presence as set if it is not zero.
func TestOneofsAsSchemas(t *testing.T) {
	t.Parallel()

	const (
		plain    = `oneof o { string a = 1; Inner b = 2; int64 c = 3; }`
		must     = `oneof o { option (buf.validate.oneof).required = true; string a = 1; Inner b = 2; google.protobuf.NullValue c = 3; }`
		rule     = `option (buf.validate.message).oneof = {fields: ["a", "b", "c"]`
		implicit = `string a = 1 [(buf.validate.field).string.min_len = 2]; repeated int32 b = 2; int64 c = 3;`
		zeroes   = `option (buf.validate.message).oneof = {fields: ["a", "b", "c", "d"]}; E a = 1; bool b = 2; double c = 3; map<string, E> d = 4;`
	)

	for name, row := range map[string]struct {
		fields      string
		allows, not []string
	}{
		"optional": {plain, []string{`{}`, `{"a":""}`, `{"b":{}}`, `{"c":"0"}`}, []string{`{"a":"","b":{}}`, `{"b":{},"c":"1"}`, `{"a":"","c":"1"}`}},
		"required": {must, []string{`{"a":""}`, `{"b":{}}`, `{"c":null}`}, []string{`{}`, `{"a":"","b":{}}`, `{"a":"","c":null}`}},
		"several": {
			must + `oneof p { option (buf.validate.oneof).required = true; string x = 11; string y = 12; } oneof q { bool v = 13; bool w = 14; }`,
			[]string{`{"a":"","x":""}`, `{"a":"","x":"","v":true}`},
			[]string{`{}`, `{"a":""}`, `{"x":""}`, `{"a":"","x":"","y":""}`, `{"a":"","x":"","v":true,"w":true}`},
		},
		"one_member":      {`oneof o { option (buf.validate.oneof).required = true; string a = 1; }`, []string{`{"a":""}`}, []string{`{}`}},
		"hidden_member":   {`oneof o { option (buf.validate.oneof).required = true; string a = 1; string b = 2 [(google.api.field_behavior) = OUTPUT_ONLY]; }`, []string{`{"a":""}`}, []string{`{}`, `{"b":""}`}},
		"rule":            {rule + `}; ` + implicit, []string{`{}`, `{"a":"xy"}`, `{"a":"","c":"1"}`, `{"a":"xy","b":[],"c":"0"}`}, []string{`{"a":"xy","b":[1]}`, `{"b":[1],"c":"1"}`, `{"a":"x"}`}},
		"required_rule":   {rule + ` required: true}; ` + implicit, []string{`{"a":"xy"}`, `{"a":"","c":"1"}`, `{"b":[0]}`}, []string{`{}`, `{"a":""}`, `{"a":"xy","c":"1"}`, `{"b":[],"c":"0"}`}},
		"zero_values":     {zeroes, []string{`{}`, `{"a":"E_ONE","b":false,"c":0,"d":{}}`, `{"a":"E_NONE","b":true}`}, []string{`{"a":"E_ONE","b":true}`, `{"b":true,"c":1}`, `{"c":1,"d":{"x":"E_ONE"}}`, `{"a":"E_ONE","c":1}`}},
		"rule_presence":   {`option (buf.validate.message).oneof = {fields: ["a", "b"]}; int32 a = 1 [features.field_presence = EXPLICIT, (buf.validate.field).int32.gt = 0]; int32 b = 2;`, []string{`{}`, `{"a":1}`, `{"b":1}`}, []string{`{"a":0}`, `{"a":1,"b":1}`}},
		"presence":        {`int32 a = 1 [features.field_presence = EXPLICIT, (buf.validate.field) = {ignore: IGNORE_IF_ZERO_VALUE, int32: {gt: 0}}]; int32 b = 2 [(buf.validate.field) = {ignore: IGNORE_IF_ZERO_VALUE, int32: {gt: 0}}];`, []string{`{}`, `{"a":1}`, `{"b":0}`}, []string{`{"a":0}`, `{"b":-1}`}},
		"minus_zero":      {rule + ` required: true}; ` + implicit, []string{`{"c":"-1"}`}, []string{`{"c":"-0"}`}},
		"rule_on_message": {`option (buf.validate.message).oneof = {fields: ["a", "b"] required: true}; Inner a = 1; Inner b = 2;`, []string{`{"a":{}}`}, []string{`{}`, `{"a":{},"b":{}}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			schema := compiled(t, openapitest.Describe(t, openapitest.Echo+"message M { "+row.fields+" }", policy.Policy{}, openapi.Config{}), "t.v1.MInput")
			judged(t, schema, row.allows, row.not)
		})
	}
}

// A oneof that needs its only member is a field that is required, also as a parameter.
func TestOneofsOfOneMember(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, `service S { rpc Do(M) returns (M) { option (google.api.http) = {
		post: "/v1/m" body: "*" additional_bindings {get: "/v1/m"} }; } }
	message M { oneof o { option (buf.validate.oneof).required = true; string a = 1; } }`, policy.Policy{}, openapi.Config{})

	openapitest.Is(t, doc, "components schemas t.v1.MInput required", `["a"]`)
	openapitest.Is(t, doc, "components schemas t.v1.MInput allOf", `null`)
	openapitest.Is(t, doc, "paths /v1/m get parameters 0 required", `true`)
}

// Once, nothing was said of a oneof beside the parameters that are fields of its members.
func TestOneofsInParameters(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, `service S { rpc Do(M) returns (M) { option (google.api.http) = {get: "/v1/m"}; } }
	message M { oneof o { string a = 1; Inner b = 2; } }
	message Inner { int32 c = 1 [(buf.validate.field).int32.gt = 0]; }`, policy.Policy{}, openapi.Config{})

	openapitest.Is(t, doc, "paths /v1/m get parameters 1 name", `"b.c"`)
	openapitest.Is(t, doc, "paths /v1/m get parameters 1 description", "\"At most one of `a`, `b` is there. Required if there is another parameter of `b`.\"")
}

// A PATCH says what changes, so it needs no member of a oneof, and null resets one beside another that is set.
func TestOneofsInPatches(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, `service S { rpc Do(R) returns (M) { option (google.api.http) = {patch: "/v1/m" body: "m"}; } }
	message R { M m = 1; google.protobuf.FieldMask mask = 2; }
	message M {
		option (buf.validate.message).oneof = {fields: ["x", "y"] required: true};
		oneof o { option (buf.validate.oneof).required = true; string a = 1; google.protobuf.Value b = 2; }
		string x = 3;
		int32 y = 4;
		google.protobuf.Any any = 5;
	}`, policy.Policy{}, openapi.Config{})

	judged(t, compiled(t, doc, "t.v1.MPatch"),
		[]string{`{}`, `{"a":"x"}`, `{"a":null,"b":1}`, `{"x":"","y":1}`, `{"x":null,"y":1}`, `{"x":"a","y":null}`, `{"any":null}`, `{"any":{"@type":"x"}}`},
		[]string{`{"a":"","b":1}`, `{"a":"","b":null}`, `{"x":"a","y":1}`, `{"any":{"x":1}}`})
	openapitest.Is(t, doc, "components schemas t.v1.MPatch properties x description", "\"At most one of `x`, `y` is there.\"")
}

// judged has values checked by a schema.
func judged(t *testing.T, schema *jsonschema.Schema, allows, not []string) {
	t.Helper()

	for _, text := range slices.Concat(allows, not) {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}

		if err := schema.Validate(value); (err == nil) != slices.Contains(allows, text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// compiled is a schema of a document.
func compiled(t *testing.T, doc openapitest.Object, name string) *jsonschema.Schema {
	t.Helper()

	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}

	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}

	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("doc.json", value); err != nil {
		t.Fatal(err)
	}

	schema, err := compiler.Compile("doc.json#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}

	return schema
}
