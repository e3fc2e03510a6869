package schema_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/schema"
	ruledv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/ruled/v1"
)

const file = "../testkit/foreign/proto/ruled/v1/ruled.yaml"

func service() (methods []string, routes func(schema.Rules) []string) {
	found := ruledv1.File_ruled_v1_ruled_proto.Services().ByName("RuledService")

	return schema.Methods(found), func(rules schema.Rules) []string {
		all, err := rules.Of(found)
		if err != nil {
			return []string{err.Error()}
		}

		names := make([]string, 0, len(all))
		for _, r := range all {
			names = append(names, r.String()+" "+r.Body+" "+r.ResponseBody)
		}

		return names
	}
}

// Rules of the file come before that of the option, in the order in which grpc-gateway registers their handlers.
func TestRulesAreRoutes(t *testing.T) {
	t.Parallel()

	rules, err := schema.LoadRules(file)
	if err != nil {
		t.Fatal(err)
	}

	_, routes := service()

	want := []string{
		"GET /v1/things/{name}  ", "GET /v1/sizes/{size}/things/{name=a/*}  ", "GET /v1/things/{name}:tags  tags",
		"POST /v1/things:tags tags ", "LOCK /v1/things/{name}  ", "PATCH /v1/things/{name}/mask mask ",
		"PATCH /v1/things/{name}/source source ", "PATCH /v1/things/{name}/source/{mask.paths} source ", "PUT /v1/things/{name} * ",
	}
	if diff := cmp.Diff(want, routes(rules)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	// As the table of services has them.
	text, err := schema.RulesText(rules, ruledv1.File_ruled_v1_ruled_proto.Services().Get(0))
	if err != nil {
		t.Fatal(err)
	}

	again, err := schema.ParseRules("table", []byte(text))
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(want, routes(again)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFilesAreRefused(t *testing.T) {
	t.Parallel()

	methods, _ := service()

	for name, row := range map[string]struct{ text, want string }{
		"no_yaml":       {"http: [", "api.yaml:1: did not find "},
		"tab":           {"http:\n\trules: []\n", "api.yaml:2: the indentation has a tab"},
		"list":          {"type: google.api.Service\nhttp: []\n", "api.yaml:2: type must be a text, http a mapping, and http.rules a list"},
		"two_documents": {"http: {rules: []}\n---\nhttp: {rules: []}\n", "api.yaml:2: a second YAML document"},
		"another_type":  {"type: google.api.Other", `api.yaml: the type is "google.api.Other", not google.api.Service`},
		"unknown_field": {"http:\n  rules:\n    - selector: a.B.C\n      gte: /v1", `api.yaml:3:7: unknown field "gte"; did you mean "get"?`},
		"no_selector":   {"http: {rules: [{get: /v1}]}", `api.yaml:1:16: selector "" must be the full name of one method`},
		"wildcard":      {"http: {rules: [{selector: 'a.*', get: /v1}]}", `selector "a.*" must be`},
		"unknown_method": {
			"http:\n  rules:\n    - selector: ruled.v1.RuledService.GetTing\n      get: /v1",
			`api.yaml:3:7: selector "ruled.v1.RuledService.GetTing": there is no such method here; did you mean "ruled.v1.RuledService.GetThing"?`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			rules, err := schema.ParseRules("api.yaml", []byte(row.text))
			if err == nil {
				err = schema.UnknownRules(rules, methods)
			}

			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}

	if _, err := schema.LoadRules("no/such/file"); err == nil {
		t.Error("a file that is missing is read")
	}
}

// What else is in a service configuration is not for a gateway.
func TestOtherPartsArePassedOver(t *testing.T) {
	t.Parallel()

	rules, err := schema.ParseRules("api.yaml", []byte("name: x\nauthentication: {rules: [{selector: '*'}]}\nhttp: {rules: [{selector: a.B.C, get: /v1}]}"))
	if err != nil || len(slices.Collect(maps.Keys(rules))) != 1 {
		t.Errorf("%v, %v", rules, err)
	}
}
