package openapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/openapitest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// routed is a service with an RPC for each route, "GET /v1/{a}", all with the message M.
func routed(routes ...string) string {
	var out strings.Builder

	out.WriteString("service S {\n")

	for i, r := range routes {
		method, template, _ := strings.Cut(r, " ")

		rule := fmt.Sprintf(`%s: "%s"`, strings.ToLower(method), template)
		if strings.ToUpper(method) == "LOCK" {
			rule = fmt.Sprintf(`custom: {kind: "LOCK" path: "%s"}`, template)
		}

		fmt.Fprintf(&out, "rpc Do%d(M) returns (M) { option (google.api.http) = {%s}; }\n", i, rule)
	}

	return out.String() + "}\nmessage M { string a = 1; string b = 2; string a_1 = 3; string segment_1 = 4; Inner inner = 5; string inner_a = 6; string name = 7; }\nmessage Inner { string a = 1; string name = 2; }\n"
}

// In OpenAPI, paths that differ in the names of their parameters alone are the same path, which there must not be twice. Tools want
// names of letters, digits, "-" and "_".
func TestPathItems(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		routes []string
		// want are the operations, each with the names of its path parameters, and the fields that they set if they are called otherwise.
		want []string
	}{
		"resource": {
			[]string{"GET /v1/{name=items/*}", "PATCH /v1/{inner.name=items/*}", "DELETE /v1/items/{a}"},
			[]string{"delete /v1/items/{a} a", "get /v1/items/{a} a=name", "patch /v1/items/{a} a=inner.name"},
		},
		"resource_alone": {[]string{"PATCH /v1/{inner.name=items/*}"}, []string{"patch /v1/items/{inner_name} inner_name=inner.name"}},
		"parts": {
			[]string{"GET /v1/{name=a/*/b/*}", "PUT /v1/{inner.name=a/*/b/*}", "POST /v1/a/{a}/b/{b}"},
			[]string{"get /v1/a/{a}/b/{b} a=name b=name", "post /v1/a/{a}/b/{b} a b", "put /v1/a/{a}/b/{b} a=inner.name b=inner.name"},
		},
		"verbs": {
			[]string{"GET /v1/{name=items/*}:check", "POST /v1/{inner.name=items/*}:check", "POST /v1/{a=items/*}:undo", "GET /v1/items/{b}"},
			[]string{"get /v1/items/{b} b", "get /v1/items/{name}:check name", "post /v1/items/{a}:undo a", "post /v1/items/{name}:check name=inner.name"},
		},
		"slashes_beside_none": {
			[]string{"GET /v1/{b=x/**}", "GET /v1/{a=x/*}", "DELETE /v1/{name=x/**}"},
			[]string{"delete /v1/x/{a} a=name…", "get /v1/x/{a} a", "get /v1/x/{b_1}/{b_2} b_1=b b_2=b…"},
		},
		"slashes_beside_several": {
			[]string{"GET /v1/{a=**}", "GET /v1/{a}", "GET /v1/{a}/{b}", "GET /v1/{a=*/*/*}"},
			[]string{"get /v1/{a_1}/{a_2}/{a_3} a_1=a a_2=a a_3=a", "get /v1/{a_1}/{a_2}/{a_3}/{a_4} a_1=a a_2=a a_3=a a_4=a…", "get /v1/{a} a", "get /v1/{a}/{b} a b"},
		},
		"slashes_with_verb": {
			[]string{"GET /v1/{name=shelves/**}", "GET /v1/{name=shelves/**}:check", "GET /v1/{name=shelves/*}"},
			[]string{"get /v1/shelves/{name_1}/{name_2} name_1=name name_2=name…", "get /v1/shelves/{name} name", "get /v1/shelves/{name}:check name…"},
		},
		"bare": {
			[]string{"GET /v1/**", "GET /v1/*", "GET /v1/*/x/{a=y/*}", "POST /v1/{a}"},
			[]string{"get /v1/{a} a", "get /v1/{segment_1}/x/y/{a} segment_1 a", "get /v1/{segment_1}/{segment_2} segment_1 segment_2…", "post /v1/{a} a"},
		},
		"one_name_for_two": {
			[]string{"GET /v1/{a=*/*}/{a_1}", "GET /v2/*/{segment_1}", "GET /v3/{inner.a}/{inner_a}"},
			[]string{"get /v1/{a_1}/{a_2}/{a_1_2} a_1=a a_2=a a_1_2=a_1", "get /v2/{segment_1}/{segment_1_2} segment_1 segment_1_2=segment_1", "get /v3/{inner_a}/{inner_a_2} inner_a=inner.a inner_a_2=inner_a"},
		},
		"methods": {
			[]string{"LOCK /v1/{a}", "GET /v1/{b}", "PUT /v1/{inner.a}"},
			[]string{"LOCK /v1/{a} a", "get /v1/{a} a=b", "put /v1/{a} a=inner.a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			doc := openapitest.Describe(t, routed(row.routes...), policy.Policy{}, openapi.Config{})

			if diff := cmp.Diff(row.want, pathOperations(t, doc)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}

			wellFormedPaths(t, doc)
		})
	}
}

// pathOperations are the operations of a document with the parameters of their paths.
func pathOperations(t *testing.T, doc openapitest.Object) []string {
	t.Helper()

	var out []string

	paths, _ := doc["paths"].(openapitest.Object)
	for path, item := range paths {
		operations, _ := item.(openapitest.Object)

		operations = maps.Clone(operations)
		if others, ok := operations["x-additional-operations"].(openapitest.Object); ok {
			delete(operations, "x-additional-operations")

			maps.Copy(operations, others)
		}

		for method := range operations {
			line := method + " " + path

			list, _ := openapitest.At(t, operations, method+" parameters").([]any)
			for _, p := range list {
				if openapitest.At(t, p, "in") == "path" {
					line += pathParameter(t, p)
				}
			}

			out = append(out, line)
		}
	}

	slices.Sort(out)

	return out
}

func pathParameter(t *testing.T, p any) string {
	t.Helper()

	text := fmt.Sprint(" ", openapitest.At(t, p, "name"))
	if field := openapitest.At(t, p, "x-portico-field"); field != nil {
		text += fmt.Sprint("=", field)
	}

	if openapitest.At(t, p, "x-portico-segments") == true {
		text += "…"
	}

	return text
}

var inPaths = regexp.MustCompile(`\{([^{}]*)\}`)

// wellFormedPaths checks that there is no path twice, and that the parameters of each are described once.
func wellFormedPaths(t *testing.T, doc openapitest.Object) {
	t.Helper()

	shapes, simple := map[string]string{}, regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

	for _, line := range pathOperations(t, doc) {
		parts := strings.Fields(line)
		path := parts[1]

		shape := inPaths.ReplaceAllString(path, "{}")
		if other, known := shapes[shape]; known && other != path {
			t.Errorf("%s and %s are the same path", path, other)
		}

		shapes[shape] = path

		var described, wanted []string

		for _, p := range parts[2:] {
			name, _, _ := strings.Cut(strings.TrimSuffix(p, "…"), "=")
			described = append(described, name)

			if !simple.MatchString(name) {
				t.Errorf("the parameter %q of %s", name, path)
			}
		}

		for _, found := range inPaths.FindAllStringSubmatch(path, -1) {
			wanted = append(wanted, found[1])
		}

		slices.Sort(described)

		if slices.Sort(wanted); !slices.Equal(described, wanted) || len(slices.Compact(wanted)) != len(described) {
			t.Errorf("%s describes %q", path, described)
		}
	}
}

// The document of routes does not depend on the order in which they come.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()

	all := map[string][]policy.Endpoint{
		"bodies": openapitest.Operations(t, openapitest.Imports+`
			service S {
				rpc Replace(Item) returns (Item) { option (google.api.http) = {put: "/v1/a/{name}" body: "*"}; }
				rpc Create(Request) returns (Item) { option (google.api.http) = {post: "/v1/{shelf}" body: "*"}; }
				rpc Move(Item) returns (Item) { option (google.api.http) = {put: "/v1/b/{shelf.name}/{display_name}" body: "*"}; }
				rpc Change(Request) returns (Item) { option (google.api.http) = {put: "/v1/c/{item.name}" body: "item"}; }
				rpc Only(Once) returns (Item) { option (google.api.http) = {put: "/v1/d/{name}" body: "*"}; }
			}
			message Item { string name = 1; string display_name = 2; Shelf shelf = 3; }
			message Shelf { string name = 1; }
			message Request { Item item = 1; string shelf = 2; }
			message Once { string name = 1; string text = 2; }`, policy.Policy{}),
		"paths": openapitest.Operations(t, openapitest.Imports+routed("LOCK /v1/{a}", "GET /v1/{b}", "PUT /v1/{inner.a}", "GET /v1/{b=**}", "GET /v1/{inner.a=*/*}"), policy.Policy{}),
	}

	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			all["linked"] = append(all["linked"], openapitest.Served(t, file.Services().Get(i), policy.Policy{})...)
		}

		return true
	})

	for name, operations := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			slices.SortFunc(operations, func(a, b policy.Endpoint) int { return strings.Compare(a.String(), b.String()) })

			want := openapitest.Build(t, operations, openapi.Config{})
			wellFormedPaths(t, want)

			random := rand.New(rand.NewPCG(1, 2))
			for range 2 {
				random.Shuffle(len(operations), func(i, j int) { operations[i], operations[j] = operations[j], operations[i] })

				if diff := cmp.Diff(want, openapitest.Build(t, operations, openapi.Config{})); diff != "" {
					t.Fatalf("-sorted +shuffled:\n%.2000s", diff)
				}
			}
		})
	}

	doc := openapitest.Build(t, all["bodies"], openapi.Config{})

	for path, want := range map[string]string{
		"/v1/a/{name}":                      "t.v1.ItemInput-without-name",
		"/v1/b/{shelf_name}/{display_name}": "t.v1.ItemInput-without-display_name-shelf.name",
		"/v1/c/{item_name}":                 "t.v1.ItemInput-without-name",
		"/v1/{shelf}":                       "t.v1.Request",
		"/v1/d/{name}":                      "t.v1.Once",
	} {
		method := "put"
		if path == "/v1/{shelf}" {
			method = "post"
		}

		schema, _ := json.Marshal(openapitest.Object{"$ref": "#/components/schemas/" + want})
		openapitest.Is(t, doc, "paths "+path+" "+method+" requestBody content application/json schema", string(schema))
	}

	// A part of a request has all fields.
	openapitest.Is(t, doc, "components schemas t.v1.Request properties item", `{"$ref":"#/components/schemas/t.v1.ItemInput"}`)
	openapitest.Is(t, doc, "components schemas t.v1.ItemInput properties name", `{"type":"string"}`)
	openapitest.Is(t, doc, "components schemas t.v1.ItemInput-without-name properties name", `null`)
}
