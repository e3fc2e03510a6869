package openapi_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/testkit/openapitest"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// one is a service of one method, with the message M.
func one(method, message string) string {
	return "service S { " + method + " }\n message M { " + message + " }\n message N { string text = 1; }\n message Inner { string text = 1; }\n"
}

// names lists the parameters of an operation that stand in a place.
func names(t *testing.T, doc openapitest.Object, operation, in string) []string {
	t.Helper()

	list, _ := openapitest.At(t, doc, operation+" parameters").([]any)

	var out []string

	for _, p := range list {
		if openapitest.At(t, p, "in") == in {
			name, _ := openapitest.At(t, p, "name").(string)
			out = append(out, name)
		}
	}

	return out
}

func TestPaths(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		template, path string
		variables      []string
		many           bool
	}{
		"one":      {"/v1/{a}", "/v1/{a}", []string{"a"}, false},
		"verb":     {"/v1/{a}:go", "/v1/{a}:go", []string{"a"}, false},
		"nested":   {"/v1/{inner.text}", "/v1/{inner_text}", []string{"inner_text"}, false},
		"fixed":    {"/v1/{a=rooms/*}/x", "/v1/rooms/{a}/x", []string{"a"}, false},
		"segments": {"/v1/{a=rooms/*/shelves/*}", "/v1/rooms/{a_1}/shelves/{a_2}", []string{"a_1", "a_2"}, false},
		"deep":     {"/v1/{a=**}", "/v1/{a}", []string{"a"}, true},
		"bare":     {"/v1/*/x", "/v1/{segment_1}/x", []string{"segment_1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			doc := openapitest.Describe(t, one(`rpc Do(M) returns (N) { option (google.api.http) = {get: "`+row.template+`"}; }`,
				`string a = 1; Inner inner = 2;`), policy.Policy{}, openapi.Config{})

			operation := "paths " + row.path + " get"
			if got := names(t, doc, operation, "path"); !slices.Equal(got, row.variables) {
				t.Errorf("variables %q", got)
			}

			if got := openapitest.At(t, doc, operation+" parameters 0 x-portico-segments") == true; got != row.many {
				t.Errorf("many segments: %v", got)
			}
		})
	}
}

// What neither path nor body sets stands in the query, but for messages within themselves and what has no form there.
func TestQuery(t *testing.T) {
	t.Parallel()

	message := `string a = 1; int32 page_size = 2 [(buf.validate.field).int32.lte = 9]; repeated string tags = 3;
		map<string, int32> labels = 4; Inner inner = 5; M self = 6; repeated Inner inners = 7; google.protobuf.Timestamp at = 8;
		google.protobuf.Struct more = 9; google.protobuf.Any any = 10; string must = 11 [(buf.validate.field).required = true];`
	doc := openapitest.Describe(t, one(`rpc Do(M) returns (N) { option (google.api.http) = {get: "/v1/{a}"}; }`, message), policy.Policy{}, openapi.Config{})

	const operation = "paths /v1/{a} get"

	want := []string{"pageSize", "tags", "labels", "inner.text", "at", "more", "must"}
	if got := names(t, doc, operation, "query"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	openapitest.Is(t, doc, operation+" parameters 1", `{"name":"pageSize","in":"query","schema":{"type":"integer","format":"int32","maximum":9}}`)
	openapitest.Is(t, doc, operation+" parameters 2 schema type", `"array"`)
	openapitest.Is(t, doc, operation+" parameters 3 style", `"deepObject"`)
	openapitest.Is(t, doc, operation+" parameters 6 content application/json schema type", `"object"`)
	openapitest.Is(t, doc, operation+" parameters 7 required", `true`)

	doc = openapitest.Describe(t, one(`rpc Do(M) returns (N) { option (google.api.http) = {get: "/v1/{a}"}; }`, message), policy.Policy{},
		openapi.Config{Gateway: config.Config{JSON: config.JSON{Names: config.NamesProto}}})
	openapitest.Is(t, doc, operation+" parameters 1 name", `"page_size"`)
}

func TestStreams(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, one(`rpc Do(stream M) returns (stream N) { option (google.api.http) = {post: "/v1/m" body: "*"}; }`, ``),
		policy.Policy{}, openapi.Config{})

	const operation = "paths /v1/m post"

	for path, want := range map[string]string{
		"requestBody content application/x-ndjson x-itemSchema":       `{"$ref":"#/components/schemas/t.v1.M"}`,
		"requestBody content application/json schema type":            `"array"`,
		"responses 200 content application/x-ndjson x-itemSchema":     `{"$ref":"#/components/schemas/t.v1.N"}`,
		"responses 200 content text/event-stream x-itemSchema":        `{"$ref":"#/components/schemas/t.v1.N"}`,
		"responses 200 content application/json schema items anyOf 1": `{"$ref":"#/components/schemas/StreamError"}`,
		"responses 406": `{"$ref":"#/components/responses/NotAcceptable"}`,
	} {
		openapitest.Is(t, doc, operation+" "+path, want)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()

	up := openapitest.Describe(t, one(`rpc Do(stream google.api.HttpBody) returns (N) { option (google.api.http) = {post: "/v1/m" body: "*"}; }`, ``),
		policy.Policy{}, openapi.Config{})
	openapitest.Is(t, up, "paths /v1/m post requestBody content */* schema", `{}`)
	openapitest.Is(t, up, "paths /v1/m post requestBody content multipart/form-data schema required", `["file"]`)

	down := openapitest.Describe(t, one(`rpc Do(M) returns (stream google.api.HttpBody) { option (google.api.http) = {get: "/v1/m"}; }`, ``),
		policy.Policy{Effective: &porticov1.MethodPolicy{Response: &porticov1.Response{Headers: []string{"etag", "content-range"}}}}, openapi.Config{})
	openapitest.Is(t, down, "paths /v1/m get responses 206 headers Content-Range required", `true`)
	openapitest.Is(t, down, "paths /v1/m get responses 416", `{"$ref":"#/components/responses/RangeNotSatisfiable"}`)
	openapitest.Is(t, down, "paths /v1/m get responses 304 headers ETag", `{"$ref":"#/components/headers/ETag"}`)

	// The configuration may list it as well.
	down = openapitest.Describe(t, one(`rpc Do(M) returns (N) { option (google.api.http) = {get: "/v1/m"}; }`, ``),
		policy.Policy{}, openapi.Config{Gateway: config.Config{Headers: config.Headers{Response: []string{"ETag"}}}})
	openapitest.Is(t, down, "paths /v1/m get responses 304 headers ETag", `{"$ref":"#/components/headers/ETag"}`)
}

func TestSecurity(t *testing.T) {
	t.Parallel()

	both := openapi.Config{Gateway: config.Config{Auth: config.Auth{
		Issuers: []config.Issuer{{}}, APIKeys: config.APIKeys{File: "keys.yaml", Header: "X-Key"}, Certificates: []config.Certificate{{}},
	}}}

	for name, row := range map[string]struct {
		access *porticov1.Access
		config openapi.Config
		want   string
	}{
		"public":      {&porticov1.Access{Public: true}, both, `[]`},
		"disabled":    {&porticov1.Access{Scopes: &porticov1.Scopes{AllOf: []string{"a"}}}, openapi.Config{Gateway: config.Config{Auth: config.Auth{Disabled: true}}}, `[]`},
		"anyone":      {&porticov1.Access{Authenticated: true}, openapi.Config{}, `[{"bearer":[]}]`},
		"all":         {&porticov1.Access{Scopes: &porticov1.Scopes{AllOf: []string{"a", "b"}}}, openapi.Config{}, `[{"bearer":["a","b"]}]`},
		"any":         {&porticov1.Access{Scopes: &porticov1.Scopes{AnyOf: []string{"a", "b"}, AllOf: []string{"c"}}}, openapi.Config{}, `[{"bearer":["c","a"]},{"bearer":["c","b"]}]`},
		"credentials": {&porticov1.Access{Authenticated: true}, both, `[{"bearer":[]},{"apiKey":[]},{"certificate":[]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			doc := openapitest.Describe(t, one(`rpc Do(M) returns (N) { option (google.api.http) = {get: "/v1/m"}; }`, ``),
				policy.Policy{Effective: &porticov1.MethodPolicy{Access: row.access}}, row.config)
			openapitest.Is(t, doc, "paths /v1/m get security", row.want)
		})
	}
}

// Answers follow the policy.
func TestAnswers(t *testing.T) {
	t.Parallel()

	p := policy.Policy{Effective: &porticov1.MethodPolicy{
		Idempotency: &porticov1.Idempotency{Required: true, Ttl: durationpb.New(time.Hour)},
		RateLimits:  []*porticov1.RateLimit{{Requests: 1, Per: durationpb.New(time.Second), Burst: 1}},
		Response:    &porticov1.Response{Status: 201, Headers: []string{"etag", "x-version", "x-data-bin"}},
	}}
	doc := openapitest.Describe(t, one(`rpc Do(M) returns (N) { option (google.api.http) = {post: "/v1/m" body: "*"}; }`, ``), p, openapi.Config{})

	const operation = "paths /v1/m post"

	answers, _ := openapitest.At(t, doc, operation+" responses").(openapitest.Object)

	var statuses []string
	for status := range answers {
		statuses = append(statuses, status)
	}

	slices.Sort(statuses)

	want := "201 400 401 403 404 405 409 413 415 422 429 500 501 503 504 default"
	if got := strings.Join(statuses, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	headers, err := json.Marshal(openapitest.At(t, doc, operation+" responses 201 headers"))
	if err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"X-Request-Id", "Cache-Control", "RateLimit", "RateLimit-Policy", "ETag", "X-Version", "Idempotency-Replayed"} {
		if !strings.Contains(string(headers), `"`+name+`":`) {
			t.Errorf("no %s in %s", name, headers)
		}
	}

	openapitest.Is(t, doc, operation+" responses 201 headers X-Data-Bin schema contentEncoding", `"base64"`)
	openapitest.Is(t, doc, operation+" parameters 0 name", `"Idempotency-Key"`)
	openapitest.Is(t, doc, operation+" parameters 0 schema", `{"type":"string","pattern":"^(\"([ !#-\\[\\]-~]|\\\\[\"\\\\]){1,255}\"|[!#-+\\--:<-\\[\\]-~]{1,255})$"}`)
	openapitest.Is(t, doc, operation+" parameters 0 required", `true`)
}

// The routes of an RPC have names of their own, and methods that OpenAPI does not know a place of their own.
func TestRoutesOfOneMethod(t *testing.T) {
	t.Parallel()

	doc := openapitest.Describe(t, one(`rpc Do(M) returns (N) { option (google.api.http) = {
		get: "/v1/m" additional_bindings: {post: "/v1/m"} additional_bindings: {custom: {kind: "LOCK" path: "/v1/m"}}}; }`, ``),
		policy.Policy{}, openapi.Config{})

	openapitest.Is(t, doc, "paths /v1/m get operationId", `"S_Do"`)
	openapitest.Is(t, doc, "paths /v1/m post operationId", `"S_Do_2"`)
	openapitest.Is(t, doc, "paths /v1/m x-additional-operations LOCK operationId", `"S_Do_3"`)
}
