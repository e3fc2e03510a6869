package description_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/openapitest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	_ "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	_ "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/bff/internal/tool/mock"
	_ "github.com/portico-gateway/portico/gen"
)

// madeUp are examples of operations, as protoc-gen-portico makes them.
func madeUp(t *testing.T, operations []policy.Endpoint) map[string]string {
	t.Helper()

	source, err := mock.NewExamples()
	if err != nil {
		t.Fatal(err)
	}

	all := map[string]string{}

	for _, op := range operations {
		request, answer := source.Of(op.Descriptor)
		out := openapi.Example{Request: written(t, request), Response: written(t, answer)}

		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}

		all[string(op.Descriptor.FullName())] = string(text)
	}

	return all
}

func written(t *testing.T, m proto.Message) json.RawMessage {
	t.Helper()

	if m == nil {
		return nil
	}

	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}

	return text
}

// invalidExamples are the examples of a document that are not what it says of them, and how many there are in all.
func invalidExamples(t *testing.T, doc openapitest.Object) (faults []string, count int) {
	t.Helper()

	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()

	if err := compiler.AddResource("doc.json", any(doc)); err != nil {
		t.Fatal(err)
	}

	var visit func(value any, at string)

	visit = func(value any, at string) {
		switch holder := value.(type) {
		case []any:
			for i, element := range holder {
				visit(element, fmt.Sprintf("%s/%d", at, i))
			}
		case openapitest.Object:
			for _, name := range slices.Sorted(maps.Keys(holder)) {
				if name != "example" {
					visit(holder[name], at+"/"+strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "{", "%7B", "}", "%7D").Replace(name))
				}
			}

			example, ok := holder["example"]
			if _, described := holder["schema"]; !ok || !described {
				return
			}

			schema, err := compiler.Compile("doc.json#" + at + "/schema")
			if err != nil {
				t.Fatal(err)
			}

			count++

			if err := schema.Validate(example); err != nil {
				text, _ := json.Marshal(example)
				faults = append(faults, fmt.Sprintf("%s: %v in %s", at, err, text))
			}
		}
	}

	visit(doc["paths"], "/paths")
	visit(doc["components"], "/components")

	return faults, count
}

// Once, examples had what the schema beside them forbids.
func TestExamplesAreWhatTheirSchemasSay(t *testing.T) {
	t.Parallel()

	all := map[string][]policy.Endpoint{}

	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			name := string(file.Package())
			all[name] = append(all[name], openapitest.Served(t, file.Services().Get(i), policy.Policy{})...)
		}

		return true
	})

	for name, source := range exampleCases {
		all[name] = openapitest.Operations(t, source, policy.Policy{})
	}

	for name, operations := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			examples := madeUp(t, operations)

			for _, config := range []openapi.Config{{}, {Gateway: config.Config{JSON: config.JSON{Names: config.NamesProto, EmitDefaults: true}}}} {
				config.Examples = examples

				faults, count := invalidExamples(t, openapitest.Build(t, operations, config))
				for _, fault := range faults {
					t.Error(fault)
				}

				if count == 0 && len(operations) > 0 {
					t.Error("there are no examples")
				}
			}
		})
	}
}

// Once, tools that read the document looked for the file that an example seemed to refer to.
func TestNoExampleHasAReference(t *testing.T) {
	t.Parallel()

	ops := openapitest.Operations(t, openapitest.Imports+`service S { rpc Do(M) returns (Ms) { option (google.api.http) = {
		post: "/v1/m/{plain}" body: "*" additional_bindings: {get: "/v1/m"}
	}; } }
	message Ms { repeated M ms = 1 [(buf.validate.field).repeated.min_items = 1]; }
	message M { string reference = 1 [json_name = "$ref"]; string dotted = 2 [json_name = "a.b"]; string plain = 3; }`, policy.Policy{})

	examples := madeUp(t, ops)
	if !strings.Contains(examples["t.v1.S.Do"], `"$ref":"`) {
		t.Fatalf("the examples are %v", examples)
	}

	text, err := json.Marshal(openapitest.Build(t, ops, openapi.Config{Examples: examples}))
	if err != nil {
		t.Fatal(err)
	}

	if found := regexp.MustCompile(`"\$ref":"[^#"]*"`).Find(text); found != nil {
		t.Errorf("there is %s", found)
	}

	// The name in JSON is none that a query can have.
	if !strings.Contains(string(text), `"name":"dotted"`) || strings.Contains(string(text), `"name":"a.b"`) {
		t.Errorf("the parameter is not called dotted: %s", text)
	}
}
