package policy_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// at is how a method is reached.
type at struct {
	// Method is the HTTP method, and Variables those of the path.
	Method    string
	Variables []string
}

// compile makes the policy of a method that is reached so. The error joins the faults.
func compile(method protoreflect.MethodDescriptor, by at, defaults policy.Defaults) (policy.Policy, error) {
	path := "/v1"
	if len(by.Variables) > 0 {
		path += "/{" + strings.Join(by.Variables, "}/{") + "}"
	}

	template, err := pathtemplate.Parse(path)
	if err != nil {
		return policy.Policy{}, err
	}

	p, faults := policy.Compile(schema.Route{
		Method: by.Method, Template: template, RPC: schema.FullMethod(method), Descriptor: method,
		ClientStream: method.IsStreamingClient(), ServerStream: method.IsStreamingServer(),
	}, defaults)

	return p, policy.Error(faults)
}

// limited is a service of two methods with these policies.
func limited(t *testing.T, first, second string) protoreflect.ServiceDescriptor {
	t.Helper()

	file := &descriptorpb.FileDescriptorProto{
		Name: new("limited.proto"), Package: new("test.v1"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("M")}},
		Service:     []*descriptorpb.ServiceDescriptorProto{{Name: new("S")}},
	}

	for name, text := range map[string]string{"First": first, "Second": second} {
		own := &porticov1.MethodPolicy{}
		if err := prototext.Unmarshal([]byte("access: {public: true} "+text), own); err != nil {
			t.Fatal(err)
		}

		options := &descriptorpb.MethodOptions{}
		proto.SetExtension(options, porticov1.E_Policy, own)
		proto.SetExtension(options, annotations.E_Http, &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: "/v1/" + name}})

		file.Service[0].Method = append(file.Service[0].Method, &descriptorpb.MethodDescriptorProto{
			Name: &name, InputType: new(".test.v1.M"), OutputType: new(".test.v1.M"), Options: options,
		})
	}

	slices.SortFunc(file.GetService()[0].GetMethod(), func(a, b *descriptorpb.MethodDescriptorProto) int {
		return strings.Compare(a.GetName(), b.GetName())
	})

	made, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}

	return made.Services().Get(0)
}
