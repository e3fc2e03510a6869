// Package schema reads what descriptors say of an API: its REST routes, from google.api.http options or from rules in a file of
// their own, the fields that dotted paths name, and the fields that clients have to give. It checks that no two routes contend for
// a path. It serves nothing: the generated handlers do, and the gateway puts a policy before each of them.
package schema

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// Route is one binding of an RPC to an HTTP method and a path, or an RPC that has none.
type Route struct {
	// Method is the HTTP method, "GET".
	Method string
	// Template is the path.
	Template pathtemplate.Template
	// RPC is the full method, "/user.v1.UserService/GetUser".
	RPC string
	// Descriptor describes the RPC.
	Descriptor protoreflect.MethodDescriptor
	// Body is the field of the request message that is the body; "*" all of it; empty: requests have none.
	Body string
	// ResponseBody is the field of the response message that is the body of the response; empty: all of it is.
	ResponseBody string
	// ClientStream and ServerStream report whether the request or the response is a stream of messages.
	ClientStream, ServerStream bool

	declared declared
}

// Unrouted is a method without a binding, which composites alone can call.
func Unrouted(method protoreflect.MethodDescriptor) Route {
	return Route{
		RPC: FullMethod(method), Descriptor: method,
		ClientStream: method.IsStreamingClient(), ServerStream: method.IsStreamingServer(),
	}
}

// Bound reports whether there is an HTTP method and a path.
func (r Route) Bound() bool { return r.Template.String() != "" }

// String names the route as "GET /v1/users/{user_id}", and a method without one by its RPC.
func (r Route) String() string {
	if !r.Bound() {
		return strings.TrimPrefix(r.RPC, "/")
	}

	return r.Method + " " + r.Template.String()
}

// CompareRoutes orders routes so that a more specific one comes before a more general one.
func CompareRoutes(a, b Route) int {
	if c := pathtemplate.Compare(a.Template, b.Template); c != 0 {
		return c
	}

	return strings.Compare(a.Method, b.Method)
}
