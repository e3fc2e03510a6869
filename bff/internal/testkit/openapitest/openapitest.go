// Package openapitest describes protos that tests write, and looks into what was said of them.
package openapitest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/api/httpbody"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Imports begins a proto with what tests import.
const Imports = `edition = "2023";
package t.v1;
option features.field_presence = IMPLICIT;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/rpc/status.proto";
`

// Object is one as JSON has it.
type Object = map[string]any

// Describe describes the service S of a proto, in which all methods have the policy, as any client would read the document.
func Describe(t *testing.T, source string, p policy.Policy, config openapi.Config) Object {
	t.Helper()

	return Build(t, Operations(t, Imports+source, p), config)
}

// Operations are those of the service S of a proto, which have all the same policy.
func Operations(t *testing.T, source string, p policy.Policy) []policy.Endpoint {
	t.Helper()

	compiler := protocompile.Compiler{Resolver: protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		if path == "t.proto" {
			return protocompile.SearchResult{Source: strings.NewReader(source)}, nil
		}

		file, err := protoregistry.GlobalFiles.FindFileByPath(path)

		return protocompile.SearchResult{Desc: file}, err
	})}

	files, err := compiler.Compile(context.WithoutCancel(t.Context()), "t.proto")
	if err != nil {
		t.Fatal(err)
	}

	// Options come as messages of the compiler's own: read them again as what is linked.
	text, err := proto.Marshal(protodesc.ToFileDescriptorProto(files[0]))
	if err != nil {
		t.Fatal(err)
	}

	linked := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(text, linked); err != nil {
		t.Fatal(err)
	}

	file, err := protodesc.NewFile(linked, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}

	return Served(t, file.Services().ByName("S"), p)
}

// Served are the operations of a service, which have all the same policy.
func Served(t *testing.T, service protoreflect.ServiceDescriptor, p policy.Policy) []policy.Endpoint {
	t.Helper()

	routes, err := schema.Routes(service)
	if err != nil {
		t.Fatal(err)
	}

	effective := &porticov1.MethodPolicy{
		Access: &porticov1.Access{Authenticated: true}, Response: &porticov1.Response{Status: 200},
		Timeout: durationpb.New(0), MaxBodyBytes: proto.Int64(0),
	}
	if p.Effective != nil {
		proto.Merge(effective, p.Effective)
	}

	p.Effective = effective

	operations := make([]policy.Endpoint, 0, len(routes))
	for _, r := range routes {
		operations = append(operations, policy.Endpoint{Route: r, Policy: p})
	}

	return operations
}

// Build is the document of operations, as any client would read it.
func Build(t *testing.T, operations []policy.Endpoint, config openapi.Config) Object {
	t.Helper()

	document, err := openapi.Build(operations, config)
	if err != nil {
		t.Fatal(err)
	}

	text, err := document.JSON()
	if err != nil {
		t.Fatal(err)
	}

	doc := Object{}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}

	complete(t, "", doc)

	return doc
}

// complete finds what linters of descriptions refuse: schemas that require members which are not among their properties. Once, that was
// what was said of every oneof.
func complete(t *testing.T, where string, doc any) {
	t.Helper()

	if list, ok := doc.([]any); ok {
		for i, element := range list {
			complete(t, fmt.Sprint(where, " ", i), element)
		}
	}

	holder, _ := doc.(Object)
	properties, _ := holder["properties"].(Object)

	if names, ok := holder["required"].([]any); ok {
		for _, name := range names {
			if _, known := properties[fmt.Sprint(name)]; !known {
				t.Errorf("%s requires %v, which is not among its properties", where, name)
			}
		}
	}

	for name, value := range holder {
		complete(t, where+" "+name, value)
	}
}

// Echo is a service of one method that takes messages M in the body and answers with them.
const Echo = `
service S { rpc Do(M) returns (N) { option (google.api.http) = {post: "/v1/m" body: "*"}; } }
message N { M m = 1; }
enum E { E_NONE = 0; E_ONE = 1; E_TWO = 2; }
message Inner { string text = 1; }
`

// At is the value at a pointer whose parts are separated by spaces.
func At(t *testing.T, doc any, path string) any {
	t.Helper()

	for part := range strings.SplitSeq(path, " ") {
		switch holder := doc.(type) {
		case Object:
			doc = holder[part]
		case []any:
			var index int
			if _, err := fmt.Sscan(part, &index); err != nil || index >= len(holder) {
				t.Fatalf("no %s in %s", part, path)
			}

			doc = holder[index]
		default:
			t.Fatalf("no %s in %s", part, path)
		}
	}

	return doc
}

// Is compares a part of a document with JSON.
func Is(t *testing.T, doc any, path, want string) {
	t.Helper()

	var wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatalf("%v in %s", err, want)
	}

	if diff := cmp.Diff(wanted, At(t, doc, path)); diff != "" {
		got, _ := json.Marshal(At(t, doc, path))
		t.Errorf("%s is %s (-want +got):\n%s", path, got, diff)
	}
}

// SortedKeys are the names of the members of an object.
func SortedKeys(o Object) []string { return slices.Sorted(maps.Keys(o)) }
