package openapi_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/testkit/openapitest"
)

// Each field is described as protobuf's JSON has it, with its rules.
func TestFields(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct{ field, want string }{
		"bool":     {`bool f = 1;`, `{"type":"boolean"}`},
		"int32":    {`int32 f = 1;`, `{"type":"integer","format":"int32"}`},
		"uint32":   {`fixed32 f = 1;`, `{"type":"integer","format":"uint32","minimum":0,"maximum":4294967295}`},
		"int64":    {`sint64 f = 1;`, `{"type":"string","format":"int64","pattern":"^-?(0|[1-9][0-9]*)$"}`},
		"uint64":   {`uint64 f = 1;`, `{"type":"string","format":"uint64","pattern":"^(0|[1-9][0-9]*)$"}`},
		"double":   {`double f = 1;`, `{"oneOf":[{"type":"number","format":"double"},{"type":"string","enum":["NaN","Infinity","-Infinity"]}]}`},
		"string":   {`string f = 1;`, `{"type":"string"}`},
		"bytes":    {`bytes f = 1;`, `{"type":"string","contentEncoding":"base64"}`},
		"enum":     {`E f = 1;`, `{"$ref":"#/components/schemas/t.v1.E"}`},
		"message":  {`Inner f = 1;`, `{"$ref":"#/components/schemas/t.v1.InnerInput"}`},
		"repeated": {`repeated int32 f = 1;`, `{"type":"array","items":{"type":"integer","format":"int32"}}`},
		"map":      {`map<string, bool> f = 1;`, `{"type":"object","additionalProperties":{"type":"boolean"}}`},
		"map_of_numbers": {
			`map<int32, Inner> f = 1;`,
			`{"type":"object","propertyNames":{"format":"int32","pattern":"^-?(0|[1-9][0-9]*)$"},"additionalProperties":{"$ref":"#/components/schemas/t.v1.InnerInput"}}`,
		},
		"map_of_bools": {`map<bool, E> f = 1;`, `{"type":"object","propertyNames":{"enum":["true","false"]},"additionalProperties":{"$ref":"#/components/schemas/t.v1.E"}}`},
		"timestamp":    {`google.protobuf.Timestamp f = 1;`, `{"type":"string","format":"date-time","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"}`},
		"duration":     {`google.protobuf.Duration f = 1;`, `{"type":"string","pattern":"^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$"}`},
		"field_mask":   {`google.protobuf.FieldMask f = 1;`, `{"type":"string","pattern":"^(\\*|([a-zA-Z][a-zA-Z0-9]*(\\.[a-zA-Z][a-zA-Z0-9]*)*|([a-z][a-z0-9_]*\\.)*[a-z][a-z0-9_]*_[0-9][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*)(,([a-zA-Z][a-zA-Z0-9]*(\\.[a-zA-Z][a-zA-Z0-9]*)*|([a-z][a-z0-9_]*\\.)*[a-z][a-z0-9_]*_[0-9][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*))*)?$"}`},
		"struct":       {`google.protobuf.Struct f = 1;`, `{"type":"object","additionalProperties":true}`},
		"value":        {`google.protobuf.Value f = 1;`, `{}`},
		"list":         {`google.protobuf.ListValue f = 1;`, `{"type":"array","items":{}}`},
		"empty":        {`google.protobuf.Empty f = 1;`, `{"type":"object","additionalProperties":false}`},
		"any": {
			`google.protobuf.Any f = 1;`,
			`{"type":"object","additionalProperties":true,
				"oneOf":[{"required":["@type"],"properties":{"@type":{"type":"string"}}},{"maxProperties":0}],
				"properties":{"@type":{"type":"string","minLength":1,"description":"URL of the type of the message, which the gateway has to know."}}}`,
		},
		"wrapper":        {`google.protobuf.Int64Value f = 1;`, `{"type":"string","format":"int64","pattern":"^-?(0|[1-9][0-9]*)$"}`},
		"null":           {`google.protobuf.NullValue f = 1;`, `{"type":"null"}`},
		"deprecated":     {`bool f = 1 [deprecated = true];`, `{"type":"boolean","deprecated":true}`},
		"length":         {`string f = 1 [(buf.validate.field).string = {min_len: 2, max_len: 5}];`, `{"type":"string","minLength":2,"maxLength":5}`},
		"exact_length":   {`string f = 1 [(buf.validate.field).string.len = 3];`, `{"type":"string","minLength":3,"maxLength":3}`},
		"pattern":        {`string f = 1 [(buf.validate.field).string.pattern = "^a+$"];`, `{"type":"string","pattern":"^a+$"}`},
		"prefix_suffix":  {`string f = 1 [(buf.validate.field).string = {prefix: "a.", suffix: "z"}];`, `{"type":"string","pattern":"^a\\.","allOf":[{"pattern":"z$"}]}`},
		"contains":       {`string f = 1 [(buf.validate.field).string.contains = "a+"];`, `{"type":"string","pattern":"a\\+"}`},
		"bytes_of_text":  {`string f = 1 [(buf.validate.field).string = {min_bytes: 5, max_bytes: 9}];`, `{"type":"string","minLength":2,"maxLength":9,"description":"5 bytes to 9 bytes in UTF-8."}`},
		"exact_bytes":    {`string f = 1 [(buf.validate.field).string.len_bytes = 4];`, `{"type":"string","minLength":1,"maxLength":4,"description":"4 bytes in UTF-8."}`},
		"few_bytes":      {`bytes f = 1 [(buf.validate.field).bytes.max_len = 1];`, `{"type":"string","contentEncoding":"base64","description":"At most 1 byte."}`},
		"always_true":    {`bool f = 1 [(buf.validate.field).bool.const = true];`, `{"type":"boolean","const":true}`},
		"negative_text":  {`int64 f = 1 [(buf.validate.field).int64.gte = -1];`, `{"type":"string","format":"int64","pattern":"^-?(0|[1-9][0-9]*)$","description":"At least -1."}`},
		"constant":       {`string f = 1 [(buf.validate.field).string.const = "a"];`, `{"type":"string","const":"a"}`},
		"one_of":         {`string f = 1 [(buf.validate.field).string = {in: ["a", "b"]}];`, `{"type":"string","enum":["a","b"]}`},
		"none_of":        {`string f = 1 [(buf.validate.field).string = {not_in: ["a"]}];`, `{"type":"string","not":{"enum":["a"]}}`},
		"email":          {`string f = 1 [(buf.validate.field).string.email = true];`, `{"type":"string","format":"email"}`},
		"uuid":           {`string f = 1 [(buf.validate.field).string.uuid = true];`, `{"type":"string","format":"uuid"}`},
		"uri":            {`string f = 1 [(buf.validate.field).string.uri = true];`, `{"type":"string","format":"uri"}`},
		"ip":             {`string f = 1 [(buf.validate.field).string.ip = true];`, `{"type":"string","anyOf":[{"type":"string","format":"ipv4"},{"type":"string","format":"ipv6"}]}`},
		"bounds":         {`int32 f = 1 [(buf.validate.field).int32 = {gte: 1, lte: 9}];`, `{"type":"integer","format":"int32","minimum":1,"maximum":9}`},
		"open_bounds":    {`int32 f = 1 [(buf.validate.field).int32 = {gt: 1, lt: 9}];`, `{"type":"integer","format":"int32","exclusiveMinimum":1,"exclusiveMaximum":9}`},
		"text_bounds":    {`int64 f = 1 [(buf.validate.field).int64.gte = 1];`, `{"type":"string","format":"int64","pattern":"^(0|[1-9][0-9]*)$","description":"At least 1."}`},
		"text_outside":   {`int64 f = 1 [(buf.validate.field).int64 = {gte: 5, lt: 2}];`, `{"type":"string","format":"int64","pattern":"^-?(0|[1-9][0-9]*)$","description":"At least 5. Less than 2."}`},
		"finite":         {`double f = 1 [(buf.validate.field).double = {finite: true, gte: 0}];`, `{"type":"number","format":"double","minimum":0}`},
		"items":          {`repeated string f = 1 [(buf.validate.field).repeated = {min_items: 1, max_items: 3, unique: true, items: {string: {min_len: 1}}}];`, `{"type":"array","minItems":1,"maxItems":3,"uniqueItems":true,"items":{"type":"string","minLength":1}}`},
		"pairs":          {`map<string, string> f = 1 [(buf.validate.field).map = {min_pairs: 1, max_pairs: 2, keys: {string: {max_len: 3}}, values: {string: {min_len: 1}}}];`, `{"type":"object","minProperties":1,"maxProperties":2,"propertyNames":{"maxLength":3},"additionalProperties":{"type":"string","minLength":1}}`},
		"defined_enum":   {`E f = 1 [(buf.validate.field).enum = {not_in: [0]}];`, `{"$ref":"#/components/schemas/t.v1.E","enum":["E_ONE","E_TWO"]}`},
		"past":           {`google.protobuf.Timestamp f = 1 [(buf.validate.field).timestamp.lt_now = true];`, `{"type":"string","format":"date-time","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$","description":"In the past."}`},
		"rule_in_words":  {`string f = 1 [(buf.validate.field).cel = {id: "x", message: "Be nice.", expression: "this != 'x'"}];`, `{"type":"string","description":"Be nice."}`},
		"ignored_rules":  {`string f = 1 [(buf.validate.field) = {ignore: IGNORE_ALWAYS, string: {min_len: 2}}];`, `{"type":"string"}`},
		"member_of_pair": {`oneof o { string f = 1; string g = 2; }`, "{\"type\":\"string\",\"description\":\"At most one of `f`, `g` is there.\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			doc := openapitest.Describe(t, openapitest.Echo+"message M { "+row.field+" }", policy.Policy{}, openapi.Config{})
			openapitest.Is(t, doc, "components schemas t.v1.MInput properties f", row.want)
		})
	}
}

// What clients send has its own schema where it differs from what they get.
func TestMessages(t *testing.T) {
	t.Parallel()

	source := openapitest.Echo + `message M {
		string some_name = 1 [(buf.validate.field).required = true];
		M self = 2;
		oneof o { string a = 3; string b = 4; }
	}`
	doc := openapitest.Describe(t, source, policy.Policy{}, openapi.Config{})

	openapitest.Is(t, doc, "components schemas t.v1.MInput required", `["someName"]`)
	openapitest.Is(t, doc, "components schemas t.v1.MInput additionalProperties", `false`)
	openapitest.Is(t, doc, "components schemas t.v1.MInput not", `{"required":["a","b"],"properties":{"a":{},"b":{}}}`)
	openapitest.Is(t, doc, "components schemas t.v1.MInput allOf", `null`)
	openapitest.Is(t, doc, "components schemas t.v1.M required", `null`)
	openapitest.Is(t, doc, "components schemas t.v1.M additionalProperties", `null`)
	openapitest.Is(t, doc, "components schemas t.v1.M properties self", `{"$ref":"#/components/schemas/t.v1.M"}`)
	openapitest.Is(t, doc, "paths /v1/m post requestBody required", `true`)
	openapitest.Is(t, doc, "paths /v1/m post responses 200 content application/json schema", `{"$ref":"#/components/schemas/t.v1.N"}`)

	doc = openapitest.Describe(t, source, policy.Policy{}, openapi.Config{Gateway: config.Config{JSON: config.JSON{Names: config.NamesProto, EmitDefaults: true}}})

	openapitest.Is(t, doc, "components schemas t.v1.MInput required", `["some_name"]`)
	openapitest.Is(t, doc, "components schemas t.v1.M required", `["some_name"]`)
}

// Values outside of JSON are described as the gateway reads them there.
func TestTextParameters(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, `service S { rpc Do(M) returns (M) { option (google.api.http) = {
		get: "/v1/a/{name}/{title}/{id}" additional_bindings: {get: "/v1/b/{name=x/*}"} additional_bindings: {get: "/v1/c/{name=**}"} }; } }
	message M {
		string name = 1; string title = 2 [(buf.validate.field).string = {pattern: "^t", not_in: ["tt"], min_len: 2}]; int32 id = 3;
		google.protobuf.FieldMask mask = 4; google.protobuf.NullValue nothing = 5; repeated google.protobuf.NullValue nothings = 6;
	}`, policy.Policy{}, openapi.Config{})

	const plain = `[^\\\\\\x00-\\x1f\\x7f-\\x9f]`

	all := "paths /v1/a/{name}/{title}/{id} get parameters "
	openapitest.Is(t, doc, all+"0 schema", `{"type":"string","minLength":1,"pattern":"^`+plain+`+$","not":{"enum":[".",".."]}}`)
	openapitest.Is(t, doc, all+"1 schema", `{"type":"string","minLength":2,"pattern":"^t","not":{"enum":["tt"]},
		"allOf":[{"pattern":"^`+plain+`+$"},{"not":{"enum":[".",".."]}}]}`)
	openapitest.Is(t, doc, all+"2 schema", `{"type":"integer","format":"int32"}`)
	openapitest.Is(t, doc, all+"3 schema", `{"type":"string","pattern":"^(\\*|[a-zA-Z_][a-zA-Z0-9_]*([.,][a-zA-Z_][a-zA-Z0-9_]*)*)?$"}`)
	openapitest.Is(t, doc, all+"4 schema", `{"type":"string","enum":["NULL_VALUE"]}`)
	openapitest.Is(t, doc, all+"5 schema", `{"type":"array","items":{"type":"string","enum":["NULL_VALUE"]}}`)
	openapitest.Is(t, doc, "paths /v1/b/x/{name} get parameters 0 schema", `{"type":"string","pattern":"^`+plain+`+$","not":{"enum":[".",".."]}}`)
	openapitest.Is(t, doc, "paths /v1/c/{name} get parameters 0 schema", `{"type":"string","pattern":"^`+plain+`*$","not":{"enum":[".",".."]}}`)
}

// The schema of errors has the members that package problem writes, and no others.
func TestProblems(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, openapitest.Echo+"message M {}", policy.Policy{}, openapi.Config{})

	for name, shape := range map[string]any{
		"Problem": problem.Problem{}, "FieldError": problem.FieldError{}, "QuotaViolation": problem.QuotaViolation{},
		"Precondition": problem.Precondition{}, "ErrorResource": problem.Resource{}, "ErrorLink": problem.Link{},
		"LocalizedMessage": problem.Localized{},
	} {
		var want, must, got, required []string

		for field := range reflect.TypeOf(shape).Fields() {
			member, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if member == "" || member == "-" {
				continue
			}

			want = append(want, member)
			if options != "omitempty" {
				must = append(must, member)
			}
		}

		properties, _ := openapitest.At(t, doc, "components schemas "+name+" properties").(openapitest.Object)
		for member := range properties {
			got = append(got, member)
		}

		text, _ := json.Marshal(openapitest.At(t, doc, "components schemas "+name+" required"))
		_ = json.Unmarshal(text, &required)

		for _, list := range [][]string{want, must, got, required} {
			slices.Sort(list)
		}

		if !slices.Equal(got, want) || !slices.Equal(required, must) {
			t.Errorf("%s has %v, of which %v are required; want %v and %v", name, got, required, want, must)
		}
	}
}
