package gateway

import (
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Once, a rule that did not compile was found by the first request, which got a 500, as did all that followed.
func TestRulesThatDoNotCompileStopTheStart(t *testing.T) {
	t.Parallel()

	options := &descriptorpb.MessageOptions{}
	proto.SetExtension(options, validate.E_Message, &validate.MessageRules{
		Cel: []*validate.Rule{{Id: new("odd"), Expression: new("this.none ==")}},
	})

	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("test.proto"), Package: new("test.v1"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: new("Thing"), Options: options},
			{Name: new("Box"), Field: []*descriptorpb.FieldDescriptorProto{{
				Name: new("things"), Number: new(int32(1)), TypeName: new(".test.v1.Thing"),
				Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(),
			}}},
		},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("Things"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: new("Get"), InputType: new(".test.v1.Thing"), OutputType: new(".test.v1.Thing")},
			{Name: new("Put"), InputType: new(".test.v1.Box"), OutputType: new(".test.v1.Thing")},
		}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}

	// The second one has it in a message within the request.
	for i := range file.Services().Get(0).Methods().Len() {
		_, err = newValidator([]Route{{Endpoint: policy.Endpoint{Route: schema.Route{Descriptor: file.Services().Get(0).Methods().Get(i)}}}})
		if err == nil || !strings.Contains(err.Error(), "test.v1.Thing: ") {
			t.Errorf("got %v", err)
		}
	}
}
