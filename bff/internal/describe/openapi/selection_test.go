package openapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/testkit/openapitest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// selecting describes a GET whose response is M, or a field of it.
func selecting(t *testing.T, message, body string, json config.JSON) openapitest.Object {
	t.Helper()

	rule := `get: "/v1/m"`
	if body != "" {
		rule += ` response_body: "` + body + `"`
	}

	return openapitest.Describe(t, one(`rpc Do(N) returns (M) { option (google.api.http) = {`+rule+`}; }`, message),
		policy.Policy{Effective: &porticov1.MethodPolicy{FieldSelection: new(true)}}, openapi.Config{Gateway: config.Config{JSON: json}})
}

func TestSelection(t *testing.T) {
	t.Parallel()

	const (
		message = `string first_name = 1; map<string, Inner> inners = 2; map<int32, string> names = 7; map<string, M> selves = 8; repeated Inner list = 3; M self = 4;
			google.protobuf.Timestamp at = 5; string secret = 6 [(google.api.field_behavior) = INPUT_ONLY];`
		operation = "paths /v1/m get parameters 1"
		paths     = "components schemas t.v1.MFields enum"
	)

	doc := selecting(t, message, "", config.JSON{})
	openapitest.Is(t, doc, operation+" name", `"fields"`)
	openapitest.Is(t, doc, operation+" explode", `false`)
	openapitest.Is(t, doc, operation+" schema anyOf 0", `{"type":"array","items":{"$ref":"#/components/schemas/t.v1.MFields"},"minItems":1}`)
	openapitest.Is(t, doc, operation+" schema anyOf 1 type", `"string"`)
	openapitest.Is(t, doc, paths, `["*","firstName","inners","inners.*","names","names.*","selves","selves.*",`+
		`"list","self","at","inners.*.text","list.text"]`)

	doc = selecting(t, message, "", config.JSON{Names: config.NamesProto})
	openapitest.Is(t, doc, paths, `["*","first_name","inners","inners.*","names","names.*","selves","selves.*",`+
		`"list","self","at","inners.*.text","list.text"]`)

	doc = selecting(t, message, "list", config.JSON{})
	openapitest.Is(t, doc, "components schemas t.v1.InnerFields enum", `["*","text"]`)

	doc = selecting(t, message, "inners", config.JSON{})
	openapitest.Is(t, doc, operation+" schema anyOf 0 items", `{"type":"string","enum":["*","*.text"]}`)

	doc = selecting(t, message, "names", config.JSON{})
	openapitest.Is(t, doc, operation+" schema anyOf 0 items", `{"type":"string","enum":["*"]}`)
}

// The gateway accepts each path that a document lists.
func TestListedPathsAreAccepted(t *testing.T) {
	t.Parallel()

	const message = `string name = 1; map<string, Inner> inners = 2; repeated Inner list = 3; M self = 4; google.protobuf.Timestamp at = 5;
		map<string, string> texts = 6; oneof kind { Inner inner = 7; google.protobuf.Struct data = 8; } repeated google.protobuf.Any any = 9;
		google.protobuf.Int64Value number = 10; map<string, google.protobuf.Struct> values = 11; map<string, M> selves = 12;`

	for _, names := range []string{"", config.NamesProto} {
		json := config.JSON{Names: names}.WithDefaults()
		endpoint := one(`rpc Do(N) returns (M) { option (google.api.http) = {get: "/v1/m"}; }`, message)
		output := openapitest.Operations(t, openapitest.Imports+endpoint, policy.Policy{})[0].Descriptor.Output()
		selector := protojson.New(json).Selector(output, nil)

		paths, _ := openapitest.At(t, selecting(t, message, "", json), "components schemas t.v1.MFields enum").([]any)
		for _, path := range paths {
			if _, err := selector.Parse([]string{path.(string)}); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}

		if len(paths) < 15 {
			t.Errorf("%d paths", len(paths))
		}
	}
}

// What has no room is left out as a whole, but for the fields of the message itself.
func TestSelectionIsBounded(t *testing.T) {
	t.Parallel()

	var message strings.Builder

	for i := range 300 {
		fmt.Fprintf(&message, "Inner inner%d = %d;", i, i+1)
	}

	found, _ := openapitest.At(t, selecting(t, message.String(), "", config.JSON{}), "components schemas t.v1.MFields enum").([]any)
	if len(found) != 301 {
		t.Errorf("%d paths", len(found))
	}
}
