package policy_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"

	_ "google.golang.org/genproto/googleapis/api/httpbody"
	_ "google.golang.org/protobuf/types/known/structpb"
)

const selectionFile = `
name: "selection.proto" package: "test.v1" syntax: "proto3"
dependency: "google/api/httpbody.proto" dependency: "google/protobuf/struct.proto"
message_type {name: "Thing"
  field {name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "id"}
  field {name: "part" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".test.v1.Thing" json_name: "part"}
  field {name: "parts" number: 3 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".test.v1.Thing" json_name: "parts"}
  field {name: "values" number: 4 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".google.protobuf.Struct" json_name: "values"}
}
message_type {name: "Own" field {name: "fields" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "fields"}}
message_type {name: "Nothing"}
service {name: "S"
  method {name: "Get" input_type: ".test.v1.Thing" output_type: ".test.v1.Thing"}
  method {name: "Own" input_type: ".test.v1.Own" output_type: ".test.v1.Thing"}
  method {name: "File" input_type: ".test.v1.Thing" output_type: ".google.api.HttpBody"}
  method {name: "Value" input_type: ".test.v1.Thing" output_type: ".google.protobuf.Struct"}
  method {name: "Nothing" input_type: ".test.v1.Thing" output_type: ".test.v1.Nothing"}
}
`

// selectionMethod is a method of that file with these options.
func selectionMethod(t *testing.T, name, level, own string) protoreflect.MethodDescriptor {
	t.Helper()

	file, set := &descriptorpb.FileDescriptorProto{}, &porticov1.MethodPolicy{}
	options := &descriptorpb.MethodOptions{IdempotencyLevel: descriptorpb.MethodOptions_IdempotencyLevel(
		descriptorpb.MethodOptions_IdempotencyLevel_value[level]).Enum()}

	for text, m := range map[string]proto.Message{selectionFile: file, "access: {public: true} " + own: set} {
		if err := prototext.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
	}

	proto.SetExtension(options, porticov1.E_Policy, set)

	for _, m := range file.GetService()[0].GetMethod() {
		m.Options = options
	}

	made, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}

	return made.Services().Get(0).Methods().ByName(protoreflect.Name(name))
}

func TestFieldSelection(t *testing.T) {
	t.Parallel()

	const on = "field_selection: true"

	tests := []struct {
		name, method, verb, level, own string
		body, responseBody             string
		want                           bool
		fault                          string
	}{
		{name: "get", method: "Get", verb: "GET", want: true},
		{name: "read_by_post", method: "Get", verb: "POST", level: "NO_SIDE_EFFECTS", want: true},
		{name: "write", method: "Get", verb: "POST", level: "IDEMPOTENT"},
		{name: "write_that_says_so", method: "Get", verb: "POST", own: on, want: true},
		{name: "get_that_says_not", method: "Get", verb: "GET", own: "field_selection: false"},
		{name: "own_field", method: "Own", verb: "GET"},
		{name: "own_field_in_the_body", method: "Own", verb: "POST", body: "*", own: on, want: true},
		{name: "own_field_that_says_so", method: "Own", verb: "GET", own: on, fault: "a field of its own for the query parameter fields"},
		{name: "file", method: "File", verb: "GET"},
		{name: "file_that_says_so", method: "File", verb: "GET", own: on, fault: "no object with fields"},
		{name: "value", method: "Value", verb: "GET"},
		{name: "nothing", method: "Nothing", verb: "GET"},
		{name: "response_body_text", method: "Get", verb: "GET", responseBody: "id"},
		{name: "response_body_value", method: "Get", verb: "GET", responseBody: "values"},
		{name: "response_body_message", method: "Get", verb: "GET", responseBody: "part", want: true},
		{name: "response_body_list", method: "Get", verb: "GET", responseBody: "parts", want: true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			template, err := pathtemplate.Parse("/v1")
			if err != nil {
				t.Fatal(err)
			}

			route := schema.Route{
				Method: tt.verb, Template: template, Descriptor: selectionMethod(t, tt.method, tt.level, tt.own),
				Body: tt.body, ResponseBody: tt.responseBody,
			}

			p, faults := policy.Compile(route, policy.Defaults{Timeout: time.Second})
			if err := policy.Error(faults); (err != nil) != (tt.fault != "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Fatalf("got %v", err)
			}

			if tt.fault == "" && p.Effective.GetFieldSelection() != tt.want {
				t.Errorf("got %v", p.Effective)
			}
		})
	}
}

// What operators set is for the methods that can have it.
func TestFieldSelectionOfAnOverride(t *testing.T) {
	t.Parallel()

	for _, on := range []bool{true, false} {
		defaults := policy.Defaults{Timeout: time.Second, Overrides: []policy.Override{
			{Selector: "*", Policy: &porticov1.MethodPolicy{FieldSelection: &on}},
		}}

		for name, can := range map[string]bool{"Get": true, "File": false} {
			p, err := compile(selectionMethod(t, name, "", ""), at{Method: "POST"}, defaults)
			if err != nil || p.Effective.GetFieldSelection() != (on && can) {
				t.Errorf("%s, %t: got %v, %v", name, on, p.Effective, err)
			}
		}
	}
}
