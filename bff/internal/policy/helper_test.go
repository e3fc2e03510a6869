package policy_test

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/schema/route"
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

	p, faults := policy.Compile(route.Route{
		Method: by.Method, Template: template, RPC: route.FullMethod(method), Descriptor: method,
		ClientStream: method.IsStreamingClient(), ServerStream: method.IsStreamingServer(),
	}, defaults)

	return p, policy.Error(faults)
}
