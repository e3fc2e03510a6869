package openapi_test

import (
	"encoding/json"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/testkit/openapitest"
)

// Once, a message got the schema of another of the same name.
func TestSchemasHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, `
		service S { rpc Do(Request) returns (Response) { option (google.api.http) = {
			post: "/v1/m" body: "*" additional_bindings: {patch: "/v1/m" body: "item"}}; } }
		message Request { Item item = 1; ItemInput other = 2; ItemPatch last = 3; google.protobuf.FieldMask mask = 4; google.rpc.Status status = 5; }
		message Response { Item item = 1; google.rpc.Status status = 2; }
		message Item { string a = 1; }
		message ItemInput { string b = 1; }
		message ItemPatch { string c = 1; }`, policy.Policy{}, openapi.Config{})

	const schemas = "components schemas "

	openapitest.Is(t, doc, schemas+"t.v1.Request properties item", `{"$ref":"#/components/schemas/t.v1.ItemAsInput"}`)
	openapitest.Is(t, doc, schemas+"t.v1.ItemAsInput properties", `{"a":{"type":"string"}}`)
	openapitest.Is(t, doc, schemas+"t.v1.ItemInput properties", `{"b":{"type":"string"}}`)
	openapitest.Is(t, doc, schemas+"t.v1.ItemPatch properties", `{"c":{"type":"string"}}`)
	openapitest.Is(t, doc, "paths /v1/m patch requestBody content application/json schema", `{"$ref":"#/components/schemas/t.v1.ItemAsPatch"}`)
	openapitest.Is(t, doc, schemas+"t.v1.ItemAsPatch properties a", `{"type":["string","null"]}`)

	// A google.rpc.Status in a message is what the codec writes, and one in place of a problem what the gateway writes.
	openapitest.Is(t, doc, schemas+"t.v1.Response properties status", `{"$ref":"#/components/schemas/google.rpc.Status"}`)
	openapitest.Is(t, doc, schemas+"google.rpc.Status properties code", `{"type":"integer","format":"int32"}`)
	openapitest.Is(t, doc, schemas+"google.rpc.Status properties details items properties @type type", `"string"`)
	openapitest.Is(t, doc, schemas+"google.rpc.Status required", `null`)
	openapitest.Is(t, doc, schemas+"google.rpc.StatusInput additionalProperties", `false`)
	openapitest.Is(t, doc, schemas+"ErrorStatus required", `["code"]`)
	openapitest.Is(t, doc, "components responses NotFound content application/json schema", `{"$ref":"#/components/schemas/ErrorStatus"}`)

	doc = openapitest.Build(t, openapitest.Operations(t, `syntax = "proto3"; import "google/api/annotations.proto";
		service S { rpc Do(Problem) returns (stream StreamError) { option (google.api.http) = {post: "/v1/m" body: "*"}; } }
		message Problem { FieldError kind = 1; }
		message StreamError { ErrorStatus status = 1; }
		message ErrorStatus { string text = 1; }
		enum FieldError { NONE = 0; }`, policy.Policy{}), openapi.Config{})

	openapitest.Is(t, doc, "paths /v1/m post requestBody content application/json schema", `{"$ref":"#/components/schemas/ProblemProto"}`)
	openapitest.Is(t, doc, schemas+"ProblemProto properties", `{"kind":{"$ref":"#/components/schemas/FieldErrorProto"}}`)
	openapitest.Is(t, doc, schemas+"FieldErrorProto enum", `["NONE"]`)
	openapitest.Is(t, doc, schemas+"StreamErrorProto properties status", `{"$ref":"#/components/schemas/ErrorStatusProto"}`)
	openapitest.Is(t, doc, schemas+"StreamError properties error", `{"$ref":"#/components/schemas/Problem"}`)
	openapitest.Is(t, doc, schemas+"Problem properties status type", `"integer"`)
}

// Methods of different RPCs have different operationIds, whatever they are called.
func TestOperationsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, `service S {
		rpc Do(M) returns (M) { option (google.api.http) = {get: "/v1/a" additional_bindings: {get: "/v1/b"}}; }
		rpc Do_2(M) returns (M) { option (google.api.http) = {get: "/v1/c"}; }
	}
	message M {}`, policy.Policy{}, openapi.Config{})

	openapitest.Is(t, doc, "paths /v1/b get operationId", `"S_Do_2"`)
	openapitest.Is(t, doc, "paths /v1/c get operationId", `"S_Do_2_2"`)
}

// Once, services of one name in two packages were one tag, or two with the same name.
func TestServicesOfOneName(t *testing.T) {
	t.Parallel()

	source := func(version string) string {
		return `syntax = "proto3"; package t.` + version + `; import "google/api/annotations.proto";
			service S { rpc Do(M) returns (M) { option (google.api.http) = {get: "/` + version + `/m"}; } } message M {}`
	}

	doc := openapitest.Build(t, append(openapitest.Operations(t, source("v1"), policy.Policy{}), openapitest.Operations(t, source("v2"), policy.Policy{})...), openapi.Config{})

	openapitest.Is(t, doc, "tags", `[{"name":"t.v1.S","description":"The service t.v1.S."},{"name":"t.v2.S","description":"The service t.v2.S."}]`)
	openapitest.Is(t, doc, "paths /v2/m get tags", `["t.v2.S"]`)
	openapitest.Is(t, doc, "paths /v2/m get operationId", `"S_Do_2"`)
}

// Well-known types are described by their JSON form wherever they are, a whole body and a whole response among it.
func TestWellKnownBodies(t *testing.T) {
	t.Parallel()

	same := func(schema string) [2]string { return [2]string{schema, schema} }

	for name, want := range map[string][2]string{
		"Struct":    same(`{"type":"object","additionalProperties":true}`),
		"Value":     same(`{}`),
		"ListValue": same(`{"type":"array","items":{}}`),
		"Timestamp": {
			`{"type":"string","format":"date-time","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"}`,
			`{"type":"string","format":"date-time"}`,
		},
		"Duration":    same(`{"type":"string","pattern":"^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$"}`),
		"FieldMask":   {`{"type":"string","pattern":"^(\\*|([a-zA-Z][a-zA-Z0-9]*(\\.[a-zA-Z][a-zA-Z0-9]*)*|([a-z][a-z0-9_]*\\.)*[a-z][a-z0-9_]*_[0-9][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*)(,([a-zA-Z][a-zA-Z0-9]*(\\.[a-zA-Z][a-zA-Z0-9]*)*|([a-z][a-z0-9_]*\\.)*[a-z][a-z0-9_]*_[0-9][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*))*)?$"}`, `{"type":"string"}`},
		"BoolValue":   same(`{"type":"boolean"}`),
		"Int64Value":  same(`{"type":"string","format":"int64","pattern":"^-?(0|[1-9][0-9]*)$"}`),
		"UInt32Value": same(`{"type":"integer","format":"uint32","minimum":0,"maximum":4294967295}`),
		"BytesValue":  same(`{"type":"string","contentEncoding":"base64"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			doc := openapitest.Describe(t, `service S { rpc Do(google.protobuf.`+name+`) returns (google.protobuf.`+name+`) {
				option (google.api.http) = {post: "/v1/m" body: "*"}; } }`, policy.Policy{}, openapi.Config{})

			openapitest.Is(t, doc, "paths /v1/m post requestBody content application/json schema", want[0])
			openapitest.Is(t, doc, "paths /v1/m post requestBody required", `null`)
			openapitest.Is(t, doc, "paths /v1/m post responses 200 content application/json schema", want[1])
		})
	}
}

// What protobuf itself requires is required of clients and there in responses; google.api.field_behavior is not enforced, and what
// rules want of clients they are told, whatever it says.
func TestRequired(t *testing.T) {
	t.Parallel()

	source := `service S { rpc Do(Request) returns (M) { option (google.api.http) = {
			post: "/v1/m" body: "*" additional_bindings: {patch: "/v1/m" body: "m"} additional_bindings: {get: "/v1/m"}
			additional_bindings: {put: "/v1/m/{m.must}" body: "m"}}; } }
		message Request { M m = 1 [features.field_presence = LEGACY_REQUIRED]; google.protobuf.FieldMask mask = 2; M other = 3; }
		message M {
			string must = 1 [features.field_presence = LEGACY_REQUIRED, (google.api.field_behavior) = OUTPUT_ONLY];
			string title = 2 [(google.api.field_behavior) = REQUIRED];
			string rule = 3 [(buf.validate.field).string.min_len = 1, (google.api.field_behavior) = OUTPUT_ONLY];
			string secret = 4 [(google.api.field_behavior) = INPUT_ONLY];
			string given = 5 [(google.api.field_behavior) = OUTPUT_ONLY];
		}`
	doc := openapitest.Describe(t, source, policy.Policy{}, openapi.Config{})

	for name, want := range map[string]struct{ required, properties string }{
		"t.v1.Request":             {`["m"]`, `["m","mask","other"]`},
		"t.v1.M":                   {`["must"]`, `["given","must","rule","title"]`},
		"t.v1.MInput":              {`["must","rule"]`, `["must","rule","secret","title"]`},
		"t.v1.MInput-without-must": {`["rule"]`, `["rule","secret","title"]`},
		"t.v1.MPatch":              {`["must"]`, `["must","secret","title"]`},
	} {
		openapitest.Is(t, doc, "components schemas "+name+" required", want.required)

		properties, _ := openapitest.At(t, doc, "components schemas "+name+" properties").(openapitest.Object)

		list, _ := json.Marshal(openapitest.SortedKeys(properties))
		if string(list) != want.properties {
			t.Errorf("%s has %s, want %s", name, list, want.properties)
		}
	}

	// Null is no value.
	openapitest.Is(t, doc, "components schemas t.v1.MPatch properties must", `{"type":"string"}`)

	openapitest.Is(t, doc, "paths /v1/m get parameters 0 name", `"m.must"`)
	openapitest.Is(t, doc, "paths /v1/m get parameters 0 required", `true`)
	openapitest.Is(t, doc, "paths /v1/m get parameters 2 name", `"m.rule"`)
	openapitest.Is(t, doc, "paths /v1/m get parameters 2 required", `true`)
	openapitest.Is(t, doc, "paths /v1/m get parameters 3 name", `"m.secret"`)
	openapitest.Is(t, doc, "paths /v1/m get parameters 5 name", `"other.must"`)
	openapitest.Is(t, doc, "paths /v1/m get parameters 5 required", `null`)

	doc = openapitest.Describe(t, source, policy.Policy{}, openapi.Config{Gateway: config.Config{JSON: config.JSON{EmitDefaults: true}}})
	openapitest.Is(t, doc, "components schemas t.v1.M required", `["title","rule","secret","given","must"]`)
}
