package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// request asks for the generation of shop.proto, which is this text behind what every file begins with.
func request(t *testing.T, text string) *pluginpb.CodeGeneratorRequest {
	t.Helper()

	const head = `syntax = "proto3"; package shop.v1; import "google/api/annotations.proto"; import "ctx.proto";
option go_package = "example.com/shop/v1;shopv1";
`

	files, err := protosource.Tree{
		"shop.proto": []byte(head + text),
		"ctx.proto":  []byte(`syntax = "proto3"; package ctx; option go_package = "example.com/ctx"; message Message {}`),
	}.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	r := &pluginpb.CodeGeneratorRequest{FileToGenerate: []string{"shop.proto"}}
	seen := map[string]bool{}

	var add func(file protoreflect.FileDescriptor)

	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}

		seen[file.Path()] = true

		for i := range file.Imports().Len() {
			add(file.Imports().Get(i))
		}

		r.ProtoFile = append(r.ProtoFile, protodesc.ToFileDescriptorProto(file))
	}
	for _, file := range files {
		add(file)
	}

	return r
}

// answer runs the command with a plugin that is given.
func answer(t *testing.T, in *pluginpb.CodeGeneratorRequest, plugin ...string) *pluginpb.CodeGeneratorResponse {
	t.Helper()

	data, err := proto.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}

	var out bytes.Buffer
	if err := run(t.Context(), bytes.NewReader(data), &out, plugin); err != nil {
		t.Fatal(err)
	}

	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out.Bytes(), response); err != nil {
		t.Fatal(err)
	}

	return response
}

// What is wrong with a route is said once, with its place.
func TestRoutesAreChecked(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct{ rule, want string }{
		"unknown_variable":   {`get: "/v1/{nmae}"`, `5:13: google.api.http of /shop.v1.S/Get: path variable nmae: shop.v1.R has no field "nmae"; did you mean "name"?`},
		"variable_in_scalar": {`get: "/v1/{name.x}"`, `path variable name.x: name is not a single message`},
		"message":            {`get: "/v1/{r}"`, `path variable r: is the message shop.v1.R, which a path cannot hold: name one of its fields`},
		"messages":           {`get: "/v1/{list}"`, `path variable list: is the message shop.v1.R`},
		"trace":              {`custom: {kind: "TRACE" path: "/v1"}`, `5:13: google.api.http of /shop.v1.S/Get: names an HTTP method that no route can have: TRACE`},
		"lower_case":         {`custom: {kind: "get" path: "/v1"}`, `names an HTTP method in the wrong case (RFC 9110, section 9.1): write GET`},
		"map":                {`get: "/v1/{map}"`, `path variable map: is a map, which a path cannot hold`},
		"variable_twice":     {`get: "/v1/{name}/{name}"`, `5:13: google.api.http of /shop.v1.S/Get: path template "/v1/{name}/{name}": at offset 12: variable "name" for the second time`},
		"oneof":              {`get: "/v1/{one}/{two.name}"`, `path variable two.name: is a second member of the oneof "kind", as one is`},
		"no_slash":           {`get: "v1"`, `5:13: google.api.http of /shop.v1.S/Get: path template "v1": at offset 0: no leading slash`},
		"unknown_body":       {`post: "/v1" body: "nmae"`, `5:25: google.api.http of /shop.v1.S/Get: body: shop.v1.R has no field "nmae"; did you mean "name"?`},
		"nested_body":        {`post: "/v1" body: "r.name"`, `body: "r.name" is a path of several names: only a field of the message itself can be it`},
		"body_of_get":        {`get: "/v1" body: "*"`, `5:24: google.api.http of /shop.v1.S/Get: body: there is none in a request with GET`},
		"body_of_delete":     {`delete: "/v1" body: "*"`, `body: DELETE has none without the option allow_delete_body=true`},
		"unknown_response":   {`get: "/v1" response_body: "x"`, `response_body: shop.v1.R has no field "x"`},
		"additional":         {`get: "/v1" additional_bindings {get: "/v2/{x}"}`, `5:45: google.api.http of /shop.v1.S/Get: path variable x: `},
		"twice":              {`get: "/{name}" additional_bindings {get: "/{of}"}`, `google.api.http of /shop.v1.S/Get: GET /{of} matches the same paths as GET /{name} of /shop.v1.S/Get`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := answer(t, request(t, `
service S { rpc Get(R) returns (R) { option (google.api.http) = {
            `+row.rule+`
}; } }
message R { string name = 1; R r = 2; repeated R list = 3; map<string, string> map = 4; string of = 5;
  oneof kind { string one = 6; R two = 7; } }`), "false").GetError()
			if !strings.HasPrefix(got, "shop.proto:") || !strings.Contains(got, row.want) || strings.Contains(got, "\n") {
				t.Errorf("got %s\nwant %s", got, row.want)
			}
		})
	}
}

// protoc-gen-go makes code of this field that does not compile, and says nothing.
func TestFieldThatGoCannotHave(t *testing.T) {
	t.Parallel()

	text := `
message R { message Inner {
  string proto_reflect = 1; } }`

	const want = "shop.proto:5:3: field proto_reflect of shop.v1.R.Inner: protoc-gen-go makes code of this name that does not compile;"
	if got := answer(t, request(t, text), "false").GetError(); !strings.HasPrefix(got, want) {
		t.Errorf("got %s", got)
	}

	opaque := request(t, text)
	opaque.Parameter = new("default_api_level=API_OPAQUE")

	if got := answer(t, opaque, "true"); got.Error != nil {
		t.Errorf("got %s", got)
	}
}

// Rules of a gRPC API configuration are shown to the plugin as options, the file's first, with nothing in them that it may make bad
// code of; the option is not.
func TestAPIConfiguration(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "api.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte("http:\n  rules:\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	in := func() *pluginpb.CodeGeneratorRequest {
		r := request(t, `
service S { rpc Get(R) returns (R) { option (google.api.http) = {get: "/v1/{name}"}; } rpc List(R) returns (R); }
message R { string name = 1; optional string maybe = 2; }`)
		r.Parameter = new("paths=source_relative,grpc_api_configuration=" + path + ",omit_package_doc=true")

		return r
	}

	write(`    - selector: shop.v1.S.Get
      post: /v2/{maybe}
      additional_bindings: [{put: "/v3/{name}"}]
    - {selector: shop.v1.S.List, get: /v1}
`)

	shown := in()

	settings, err := parseParameter(shown)
	if err != nil {
		t.Fatal(err)
	}

	gen, err := protogen.Options{ParamFunc: func(string, string) error { return nil }}.New(shown)
	if err != nil {
		t.Fatal(err)
	}

	if err := check(gen, settings); err != nil {
		t.Error(err)
	}

	hide(gen, settings.rules)

	if got, want := shown.GetParameter(), "paths=source_relative,omit_package_doc=true"; got != want {
		t.Errorf("the parameter is %q, not %q", got, want)
	}

	methods := shown.GetProtoFile()[len(shown.GetProtoFile())-1].GetService()[0].GetMethod()
	get, _ := proto.GetExtension(methods[0].GetOptions(), annotations.E_Http).(*annotations.HttpRule)
	list, _ := proto.GetExtension(methods[1].GetOptions(), annotations.E_Http).(*annotations.HttpRule)

	more := get.GetAdditionalBindings()
	if get.GetPost() != "/v2/*" || len(more) != 2 || more[0].GetPut() != "/v3/{name}" || more[1].GetGet() != "/v1/{name}" || list.GetGet() != "/v1" {
		t.Errorf("shown: %v, %v", get, list)
	}

	write("    - {selector: shop.v1.S.Got, get: /v1}\n    - selector: shop.v1.S.List\n      get: /v1/x/{nmae}\n" +
		"      additional_bindings:\n        - {put: /v1/x}\n        - {patch: \"/v1/y/{nmae}\"}\n")

	want := path + `:4:7: google.api.http of /shop.v1.S/List: path variable nmae: shop.v1.R has no field "nmae"; did you mean "name"?
` + path + `:8:11: google.api.http of /shop.v1.S/List: path variable nmae: shop.v1.R has no field "nmae"; did you mean "name"?
` + path + `:3:7: selector "shop.v1.S.Got": there is no such method here; did you mean "shop.v1.S.Get"?`
	if got := answer(t, in(), "false").GetError(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// What the plugin says gets a place: the methods that it names, or the file.
func TestErrorsOfThePluginGetAPlace(t *testing.T) {
	t.Parallel()

	text := `
service S { rpc GetIt(R) returns (R) {
  option (google.api.http) = {get: "/v1"}; } }
message R {}`

	for said, want := range map[string]string{
		"something about GetIt": "shop.proto:5:3: protoc-gen-grpc-gateway: something about GetIt",
		"something":             "shop.proto: protoc-gen-grpc-gateway: something",
	} {
		if got := answer(t, request(t, text), "sh", "-c", "echo "+said+" >&2; exit 1").GetError(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

const odd = `
service odd_svc {
  rpc get_it2go(R) returns (R) { option (google.api.http) = {
    put: "/v1/{name}/{maybe}/{of=a/*/**}:b" body: "reset"
    additional_bindings {patch: "/v2/{n}" body: "r" response_body: "reset"}
    additional_bindings {custom: {kind: "LOAD" path: "/v3/{one}"} body: "one" response_body: "r"}
  }; }
  rpc Send(stream R) returns (R) { option (google.api.http) = {post: "/v1/{name}" body: "*"}; }
  rpc Other(ctx.Message) returns (ctx.Message);
}
message R {
  string name = 1; optional string maybe = 2; string of = 3; int32 n = 4; string reset = 5; R r = 6;
  oneof kind { string one = 7; }
}`

// The plugin is shown only what it makes good code for.
func TestWhatIsHidden(t *testing.T) {
	t.Parallel()

	in := request(t, odd)

	gen, err := protogen.Options{}.New(in)
	if err != nil {
		t.Fatal(err)
	}

	hide(gen, nil)

	in = split(gen, in)[0]
	if got, want := in.GetParameter(), "Mctx.proto=example.com/ctx;runtime"; got != want {
		t.Errorf("the parameter is %q, not %q", got, want)
	}

	file := in.GetProtoFile()[len(in.GetProtoFile())-1]
	methods := file.GetService()[0].GetMethod()

	unary, _ := proto.GetExtension(methods[0].GetOptions(), annotations.E_Http).(*annotations.HttpRule)
	stream, _ := proto.GetExtension(methods[1].GetOptions(), annotations.E_Http).(*annotations.HttpRule)
	patch, load := unary.GetAdditionalBindings()[0], unary.GetAdditionalBindings()[1]

	for got, want := range map[string]string{
		unary.GetPut() + " " + unary.GetBody() + ".":                                   "/v1/{name}/*/{of=a/*/**}:b .",
		patch.GetPatch() + " " + patch.GetBody() + " " + patch.GetResponseBody() + ".": "/v2/{n} r .",
		load.GetCustom().GetPath() + " " + load.GetBody() + load.GetResponseBody():     "/v3/* r",
		stream.GetPost() + " " + stream.GetBody():                                      "/v1/* *",
	} {
		if got != want {
			t.Errorf("shown: %s, want %s", got, want)
		}
	}
}

// The handlers of a package that others have to import under another name are asked for on their own: in its own, it has none.
func TestPackageWithANameThatHandlersHave(t *testing.T) {
	t.Parallel()

	in := request(t, `message R {}`)
	in.FileToGenerate = []string{"ctx.proto", "shop.proto"}
	in.Parameter = new("paths=source_relative")

	for _, file := range in.GetProtoFile() {
		if file.GetName() == "ctx.proto" {
			file.Service = []*descriptorpb.ServiceDescriptorProto{{Name: new("S")}}
		}
	}

	gen, err := protogen.Options{ParamFunc: func(string, string) error { return nil }}.New(in)
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	for _, part := range split(gen, in) {
		got = append(got, strings.Join(part.GetFileToGenerate(), " ")+": "+part.GetParameter())
	}

	want := []string{"shop.proto: paths=source_relative,Mctx.proto=example.com/ctx;runtime", "ctx.proto: paths=source_relative"}
	if !slices.Equal(got, want) {
		t.Errorf("asked for %q, not %q", got, want)
	}
}

// A message whose name in Go the plugin does not know is shown under a name that becomes the right one, and without fields.
func TestMessagesThatGoRenames(t *testing.T) {
	t.Parallel()

	in := request(t, `
service S { rpc Get(Outer.inner) returns (Outer.Inner) { option (google.api.http) = {
  put: "/v1/{name}" body: "r" response_body: "name"
}; } }
message Outer {
  message inner { string name = 1; Inner r = 2; }
  message Inner { string name = 1; }
}`)

	gen, err := protogen.Options{}.New(in)
	if err != nil {
		t.Fatal(err)
	}

	hide(gen, nil)

	file := in.GetProtoFile()[len(in.GetProtoFile())-1]
	method := file.GetService()[0].GetMethod()[0]
	rule, _ := proto.GetExtension(method.GetOptions(), annotations.E_Http).(*annotations.HttpRule)

	if method.GetInputType() != ".shop.v1.OuterInner" || method.GetOutputType() != ".shop.v1.Outer.Inner" ||
		rule.GetPut() != "/v1/*" || rule.GetBody() != "" || rule.GetResponseBody() != "name" {
		t.Errorf("shown: %v", method)
	}

	if last := file.GetMessageType()[len(file.GetMessageType())-1]; last.GetName() != "OuterInner" || len(last.GetField()) > 0 {
		t.Errorf("got %v", last)
	}
}

// Names and paths that the plugin was not shown, or has changed, are back in what it makes.
func TestNamesAreRestored(t *testing.T) {
	t.Parallel()

	line := func(rpc, path string) string {
		return `runtime.AnnotateContext(ctx, mux, req, "` + rpc + `", runtime.WithHTTPPathPattern("` + path + `"))
`
	}

	const changed, own = "/shop.v1.OddSvc/GetIt2Go", "/shop.v1.odd_svc/get_it2go"

	// The handlers that call a server come first.
	made := line(changed, "/v1/*") + line(changed, "/v2/*") + line(changed, "/v3/*") +
		line(changed, "/v1/*") + line(changed, "/v2/*") + line(changed, "/v3/*") + line("/shop.v1.OddSvc/Send", "/v1/*") + line("/other.S/Get", "/x")
	once := line(own, "/v1/{name}/{maybe}/{of=a/*/**}:b") + line(own, "/v2/{n}") + line(own, "/v3/{one}")
	want := once + once + line("/shop.v1.odd_svc/Send", "/v1/{name}") + line("/other.S/Get", "/x")

	data, err := proto.Marshal(&pluginpb.CodeGeneratorResponse{File: []*pluginpb.CodeGeneratorResponse_File{{Content: &made}}})
	if err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(t.TempDir(), "response")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}

	response := answer(t, request(t, odd), "cat", path)
	if response.Error != nil || response.GetFile()[0].GetContent() != want {
		t.Errorf("got %s\nwant %s", response, want)
	}
}
