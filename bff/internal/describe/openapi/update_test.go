package openapi_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/openapitest"

	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// A PATCH changes what it names: nothing is required, and null resets. Once, it also reset what must be there.
func TestPatch(t *testing.T) {
	t.Parallel()

	source := one(`rpc Do(P) returns (M) { option (google.api.http) = {patch: "/v1/{m.a}" body: "m"}; }`,
		`string a = 1; string b = 2 [(buf.validate.field).required = true]; Inner inner = 3; string c = 4;`) +
		`message P { M m = 1; google.protobuf.FieldMask update_mask = 2; }`
	doc := openapitest.Describe(t, source, policy.Policy{}, openapi.Config{})

	const schema = "components schemas t.v1.MPatch"

	openapitest.Is(t, doc, "paths /v1/{m_a} patch requestBody content application/json schema", `{"$ref":"#/components/schemas/t.v1.MPatch"}`)
	openapitest.Is(t, doc, schema+" required", `null`)
	openapitest.Is(t, doc, schema+" properties a", `null`)
	openapitest.Is(t, doc, schema+" properties b", `{"type":"string","minLength":1}`)
	openapitest.Is(t, doc, schema+" properties c type", `["string","null"]`)
	openapitest.Is(t, doc, schema+" properties inner", `{"oneOf":[{"$ref":"#/components/schemas/t.v1.InnerPatch"},{"type":"null"}]}`)
}

// With a mask in the body, only what it names has to be there. Once, everything that is required without it was required.
func TestPatchWithTheMaskInTheBody(t *testing.T) {
	t.Parallel()

	messages := `string a = 1; string b = 2 [(buf.validate.field).required = true]; Inner inner = 3; Strict strict = 4; repeated Strict list = 5;
			oneof choice { option (buf.validate.oneof).required = true; string c = 6; string d = 7; }`
	more := `message P { M m = 1 [(buf.validate.field).required = true]; google.protobuf.FieldMask update_mask = 2; string id = 3; }
		message Strict { string s = 1 [(buf.validate.field).required = true]; }
		message Loose { Inner inner = 1; google.protobuf.FieldMask update_mask = 2; }`
	doc := openapitest.Describe(t, one(`rpc Do(P) returns (M) { option (google.api.http) = {patch: "/v1/{id}" body: "*"}; }
		rpc Loosely(Loose) returns (M) { option (google.api.http) = {patch: "/v1/loose" body: "*"}; }`, messages)+more,
		policy.Policy{}, openapi.Config{})

	const (
		body    = " requestBody content application/json schema"
		schemas = "components schemas "
		part    = schemas + "t.v1.MPartial"
	)

	openapitest.Is(t, doc, "paths /v1/{id} patch"+body,
		`{"anyOf":[{"$ref":"#/components/schemas/t.v1.P"},{"$ref":"#/components/schemas/t.v1.PPartial"}]}`)
	openapitest.Is(t, doc, schemas+"t.v1.P required", `["m"]`)
	openapitest.Is(t, doc, schemas+"t.v1.PPartial required", `["updateMask"]`)
	openapitest.Is(t, doc, schemas+"t.v1.PPartial properties m", `{"$ref":"#/components/schemas/t.v1.MPartial"}`)
	openapitest.Is(t, doc, part+" required", `null`)
	openapitest.Is(t, doc, part+" allOf", `null`)
	openapitest.Is(t, doc, part+" properties b", `{"type":"string","minLength":1}`)
	openapitest.Is(t, doc, part+" properties strict", `{"$ref":"#/components/schemas/t.v1.StrictPartial"}`)
	openapitest.Is(t, doc, part+" properties list items", `{"$ref":"#/components/schemas/t.v1.StrictInput"}`)
	openapitest.Is(t, doc, part+" properties inner", `{"$ref":"#/components/schemas/t.v1.InnerInput"}`)

	// Nothing is required of it anyway.
	openapitest.Is(t, doc, "paths /v1/loose patch"+body, `{"$ref":"#/components/schemas/t.v1.Loose"}`)
}

// What is required and has no presence must not be zero.
func TestRequiredValues(t *testing.T) {
	t.Parallel()

	const required = ` [(buf.validate.field).required = true];`

	doc := openapitest.Describe(t, openapitest.Echo+`message M { string s = 1`+required+` bytes b = 2`+required+` int32 n = 3`+required+` uint64 l = 4`+required+`
		bool ok = 5`+required+` E e = 6`+required+` repeated string many = 7`+required+` map<string, string> by = 8`+required+`
		string named = 9 [(buf.validate.field) = {required: true, string: {min_len: 3}}]; Inner inner = 10`+required+` }`,
		policy.Policy{}, openapi.Config{})

	for name, want := range map[string]string{
		"s minLength": `1`, "b minLength": `1`, "n not": `{"const":0}`, "l not": `{"enum":["0","-0"]}`, "ok not": `{"const":false}`,
		"e not": `{"const":"E_NONE"}`, "many minItems": `1`, "by minProperties": `1`, "named minLength": `3`, "inner not": `null`,
	} {
		openapitest.Is(t, doc, "components schemas t.v1.MInput properties "+name, want)
	}
}
