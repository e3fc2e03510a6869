package genservices_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/known/emptypb" // What the methods of hand-made services take and give.
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	oddedition2024 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/odd/edition2024"
	oddproto2 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/odd/proto2"
	ruledv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/ruled/v1"
	"github.com/portico-gateway/portico/bff/internal/tool/genservices"
	"github.com/portico-gateway/portico/gen"
)

var update = flag.Bool("update", false, "write the golden files")

// The committed table is the one that the plugin makes of the committed descriptors.
func TestGenerateMakesTheCommittedTable(t *testing.T) {
	t.Parallel()

	var files []protoreflect.FileDescriptor

	for _, service := range gen.Services() {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service.Name))
		if err != nil {
			t.Fatal(err)
		}

		files = append(files, found.ParentFile())
	}

	got, err := generate(t, "gen", linked(files...))
	if err != nil {
		t.Fatal(err)
	}

	want, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "gen", genservices.FileName))
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(string(want), got[genservices.FileName]); diff != "" {
		t.Errorf("run make generate (-committed +generated):\n%s", diff)
	}
}

func TestGenerateGolden(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"services", "none"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := generate(t, "table", handMade(t, readText(t, name+".txtpb")...))
			if err != nil {
				t.Fatal(err)
			}

			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got[genservices.FileName]), 0o600); err != nil {
					t.Fatal(err)
				}
			}

			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(string(want), got[genservices.FileName]); diff != "" {
				t.Errorf("-want +got, or run with -update:\n%s", diff)
			}
		})
	}
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		// name is that of a file under testdata.
		name string
		says []string
	}{
		{"ambiguous", []string{
			"two/v1/two.proto:10:7: ROUTE_CONFLICT: ambiguous routes: GET /v1/{a} (/one.v1.One/Get) and GET /v1/{b} (/two.v1.Two/Get) " +
				"match the same paths; the other is at one/v1/one.proto:8:5",
		}},
		{"unreachable", []string{
			"one/v1/one.proto: ROUTE_CONFLICT: unreachable route: GET /v1/a/** (/one.v1.One/Rest): more specific routes match all its paths: " +
				"GET /v1/a (/one.v1.One/None), GET /v1/a/*/** (/one.v1.One/More); they are at one/v1/one.proto, one/v1/one.proto",
		}},
		{"no_policy", []string{"one/v1/one.proto: ACCESS_MISSING: GET /v1/{a}: nothing says who may call"}},
		{"owner", []string{
			// Once, only the other plugin checked the fields.
			`one/v1/one.proto: ROUTE_INVALID: GET /v1/{a}: path variable a: google.protobuf.Empty has no field "a"`,
			`one/v1/one.proto: POLICY_INVALID: access.owner: the path has no variable "user_id"`,
		}},
		{"condition", []string{
			"one/v1/one.proto:18:5: POLICY_INVALID: access.condition: undefined field 'colour' (column 8 of the expression)",
			"one/v1/one.proto:11:3: POLICY_INVALID: access.condition: expression is not a bool but a string (for GET /v1)",
		}},
		{"no_pattern", []string{"one/v1/one.proto: ROUTE_INVALID: google.api.http of /one.v1.One/Get: "}},
		{"composite_upstream", []string{`one/v1/one.proto: SERVICE_INVALID: a composite has no upstream, but upstream is "one"`}},
		{"no_upstream", []string{"one.proto: SERVICE_INVALID: without a package, portico.v1.service must name an upstream"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := generate(t, "gen", handMade(t, readText(t, tt.name+".txtpb")...))
			if err == nil {
				t.Fatal("it is accepted")
			}

			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
		})
	}
}

// Protos that know nothing of Portico get a table with the option default_policy, and cannot without it.
func TestGenerateWithDefaultPolicy(t *testing.T) {
	t.Parallel()

	for name, described := range map[string]string{
		"deny": `"access": "authenticated; if false"`, "public": `"access": "public"`, "authenticated": `"access": "authenticated"`,
	} {
		got, err := generateWith(t, "gen", handMade(t, readText(t, "no_policy.txtpb")...), genservices.Description{DefaultPolicy: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)

			continue
		}

		if want := `DefaultPolicy: "` + name + `",`; !strings.Contains(got[genservices.FileName], want) {
			t.Errorf("the table does not say %s:\n%s", want, got[genservices.FileName])
		}

		if !strings.Contains(got["openapi/openapi.json"], described) {
			t.Errorf("the description does not say %s", described)
		}
	}

	_, err := generateWith(t, "gen", handMade(t), genservices.Description{DefaultPolicy: "open"})
	if err == nil || !strings.Contains(err.Error(), "option default_policy=open: must be deny, public or authenticated") {
		t.Errorf("got %v", err)
	}
}

// The table calls functions by their names in Go, and RPCs by theirs in the proto.
func TestGenerateWithNamesThatGoChanges(t *testing.T) {
	t.Parallel()

	request := linked(oddproto2.File_odd_proto2_odd_proto, oddedition2024.File_odd_edition2024_odd_proto)

	got, err := generateWith(t, "gen", request, genservices.Description{DefaultPolicy: "public"})
	if err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{
		"oddproto2.RegisterOddServiceHandlerClient(ctx, mux, oddproto2.NewOddServiceClient(conn))",
		"oddedition2024.RegisterOddServiceHandlerClient(ctx, mux, oddedition2024.NewOddServiceClient(conn))",
		`RPC: "/odd.proto2.odd_service/get_it2go"}`,
	} {
		if !strings.Contains(got[genservices.FileName], want) {
			t.Errorf("the table does not say %s:\n%s", want, got[genservices.FileName])
		}
	}
}

// Go packages of another module have no handlers: they are in packages of their own.
func TestGenerateWithHandlersElsewhere(t *testing.T) {
	t.Parallel()

	got, err := generateWith(t, "gen", linked(oddproto2.File_odd_proto2_odd_proto), genservices.Description{
		DefaultPolicy: "public", Handlers: "example.com/gateway/gen",
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{
		`oddproto2gw "example.com/gateway/gen/odd/proto2"`,
		"oddproto2gw.RegisterOddServiceHandlerClient(ctx, mux, oddproto2.NewOddServiceClient(conn))",
	} {
		if !strings.Contains(got[genservices.FileName], want) {
			t.Errorf("the table does not say %s:\n%s", want, got[genservices.FileName])
		}
	}
}

// Routes of a gRPC API configuration are in the table and in the description, and so are the rules, for the gateway.
func TestGenerateWithAPIConfiguration(t *testing.T) {
	t.Parallel()

	rules, err := schema.LoadRules("../../testkit/foreign/proto/ruled/v1/ruled.yaml")
	if err != nil {
		t.Fatal(err)
	}

	request := linked(ruledv1.File_ruled_v1_ruled_proto)

	got, err := generateWith(t, "gen", request, genservices.Description{DefaultPolicy: "public", Rules: rules})
	if err != nil {
		t.Fatal(err)
	}

	for want, file := range map[string]string{
		`{Method: "LOCK", Path: "/v1/things/{name}", RPC: "/ruled.v1.RuledService/PutThing"},`: genservices.FileName,
		`HTTPRules: "{\"http\":{\"rules\":[{\"selector\":\"ruled.v1.RuledService.GetThing\"`:   genservices.FileName,
		`"/v1/things/{name}:tags"`: "openapi/openapi.json",
	} {
		if !strings.Contains(strings.Join(strings.Fields(got[file]), " "), want) {
			t.Errorf("%s does not have %s:\n%s", file, want, got[file])
		}
	}

	_, err = generateWith(t, "gen", linked(oddproto2.File_odd_proto2_odd_proto), genservices.Description{DefaultPolicy: "public", Rules: rules})
	if want := `ruled.yaml:15:7: ROUTE_INVALID: selector "ruled.v1.RuledService.PutThing": there is no such method here`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What no example can be made of is described without one.
func TestGenerateWithoutExamples(t *testing.T) {
	t.Parallel()

	got, err := generate(t, "gen", handMade(t, readText(t, "no_example.txtpb")...))
	if err != nil {
		t.Fatal(err)
	}

	type body struct {
		Content map[string]struct{ Example any }
	}

	var doc struct {
		Paths map[string]struct {
			Post struct {
				RequestBody body
				Responses   map[string]body
			}
		}
	}

	if err := json.Unmarshal([]byte(got["openapi/openapi.json"]), &doc); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string][2]bool{
		"/v1/any": {true, true}, "/v1/loop": {false, true}, "/v1/looped": {true, false}, "/v1/both": {false, false},
	} {
		post, known := doc.Paths[path]
		is := [2]bool{
			post.Post.RequestBody.Content["application/json"].Example != nil,
			post.Post.Responses["200"].Content["application/json"].Example != nil,
		}

		if !known || is != want {
			t.Errorf("%s has examples of request and response: %v, want %v", path, is, want)
		}
	}
}

func TestGenerateRefusesPackageName(t *testing.T) {
	t.Parallel()

	if _, err := generate(t, "my-gen", handMade(t)); err == nil || !strings.Contains(err.Error(), "package=my-gen") {
		t.Errorf("got %v", err)
	}
}

// generate runs the plugin on a request that came over the wire, as from protoc, and returns its files by name.
func generate(tb testing.TB, packageName string, request *pluginpb.CodeGeneratorRequest) (map[string]string, error) {
	tb.Helper()

	return generateWith(tb, packageName, request, genservices.Description{})
}

func generateWith(
	tb testing.TB, packageName string, request *pluginpb.CodeGeneratorRequest, description genservices.Description,
) (map[string]string, error) {
	tb.Helper()

	plugin, err := protogen.Options{}.New(received(tb, request))
	if err != nil {
		tb.Fatal(err)
	}

	description.Folder, description.Defaults = "openapi", policy.Defaults{Timeout: time.Second, MaxBody: 1}

	if err := genservices.Generate(plugin, packageName, description); err != nil {
		return nil, err
	}

	response := plugin.Response()
	if response.Error != nil {
		tb.Fatalf("got %v", response)
	}

	files := map[string]string{}
	for _, file := range response.GetFile() {
		files[file.GetName()] = file.GetContent()
	}

	return files, nil
}

// received is the request as it arrives.
func received(tb testing.TB, request *pluginpb.CodeGeneratorRequest) *pluginpb.CodeGeneratorRequest {
	tb.Helper()

	wire, err := proto.Marshal(request)
	if err != nil {
		tb.Fatal(err)
	}

	parsed := &pluginpb.CodeGeneratorRequest{}
	if err := proto.Unmarshal(wire, parsed); err != nil {
		tb.Fatal(err)
	}

	return parsed
}

// linked asks for the generation of files that are linked into this program.
func linked(files ...protoreflect.FileDescriptor) *pluginpb.CodeGeneratorRequest {
	request := &pluginpb.CodeGeneratorRequest{}
	seen := map[string]bool{}

	for _, file := range files {
		request.FileToGenerate = append(request.FileToGenerate, file.Path())
		addWithImports(request, seen, file)
	}

	return request
}

// addWithImports adds a file after all that it imports.
func addWithImports(request *pluginpb.CodeGeneratorRequest, seen map[string]bool, file protoreflect.FileDescriptor) {
	if seen[file.Path()] {
		return
	}

	seen[file.Path()] = true

	for i := range file.Imports().Len() {
		addWithImports(request, seen, file.Imports().Get(i))
	}

	request.ProtoFile = append(request.ProtoFile, protodesc.ToFileDescriptorProto(file))
}

// handMade asks for the generation of these files, which may import what is linked into this program.
func handMade(tb testing.TB, files ...*descriptorpb.FileDescriptorProto) *pluginpb.CodeGeneratorRequest {
	tb.Helper()

	request := &pluginpb.CodeGeneratorRequest{}
	seen := map[string]bool{}

	for _, file := range files {
		for _, path := range file.GetDependency() {
			imported, err := protoregistry.GlobalFiles.FindFileByPath(path)
			if err != nil {
				tb.Fatal(err)
			}

			addWithImports(request, seen, imported)
		}

		request.FileToGenerate = append(request.FileToGenerate, file.GetName())
		request.ProtoFile = append(request.ProtoFile, file)
	}

	return request
}

// readText reads the descriptors of .proto files, written as a google.protobuf.FileDescriptorSet.
func readText(tb testing.TB, name string) []*descriptorpb.FileDescriptorProto {
	tb.Helper()

	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}

	set := &descriptorpb.FileDescriptorSet{}
	if err := prototext.Unmarshal(text, set); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}

	return set.GetFile()
}
