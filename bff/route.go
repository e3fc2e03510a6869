package bff

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portico-gateway/portico/bff/internal/gateway"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Route is one REST route. Its form in JSON is what `portico routes --output json` prints.
type Route struct {
	// Method is the HTTP method.
	Method string `json:"method"`
	// Path is the path template, "/v1/users/{user_id}".
	Path string `json:"path"`
	// RPC is the full method, "user.v1.UserService/GetUser".
	RPC string `json:"rpc"`
	// Upstream is the name of the backend in the configuration; empty if the service is a composite.
	Upstream string `json:"upstream,omitempty"`
	// Composite reports whether the service is implemented inside the gateway.
	Composite bool `json:"composite,omitempty"`
	// ClientStream and ServerStream report which side streams messages.
	ClientStream bool `json:"client_stream,omitempty"`
	ServerStream bool `json:"server_stream,omitempty"`
	// Summary is the policy on one line.
	Summary string `json:"summary"`
	// Policy is what the gateway enforces: the options of the method with all defaults and overrides. It must not be changed.
	Policy *porticov1.MethodPolicy `json:"-"`
}

// MarshalJSON implements json.Marshaler. The policy has the names and values of the options in the proto.
func (r Route) MarshalJSON() ([]byte, error) {
	policy, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r.Policy)
	if err != nil {
		return nil, fmt.Errorf("policy of %s: %w", r.RPC, err)
	}

	type plain Route

	return json.Marshal(struct {
		plain

		Policy json.RawMessage `json:"policy"`
	}{plain(r), policy})
}

func (o options) describe(compiled []gateway.Route) []Route {
	homes := o.homes()
	routes := make([]Route, 0, len(compiled))

	for _, r := range compiled {
		at := homes[string(r.Descriptor.Parent().FullName())]
		routes = append(routes, Route{
			Method: r.Method, Path: r.Template.String(), RPC: r.RPC[1:], Upstream: at.upstream, Composite: at.composite,
			ClientStream: r.ClientStream, ServerStream: r.ServerStream,
			Summary: r.Policy.Summary(), Policy: r.Policy.Effective,
		})
	}

	return routes
}
