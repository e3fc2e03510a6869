package policy

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// API is what services offer: their routes with their policies. The gateway, the plugin, the linter and the differ read it here.
type API struct {
	// Endpoints are in the order in which the services declare them. Those that have a fault have no policy.
	Endpoints []Endpoint
	// Unrouted are the methods without a route, unless they are of a composite; see Method.
	Unrouted []Endpoint
	// RouteFaults are about routes that cannot be read, and Faults about policies.
	RouteFaults []*schema.Fault
	Faults      []*Fault
}

// Endpoint is a route with its policy.
type Endpoint struct {
	schema.Route

	Policy Policy
}

// Read reads the routes and methods of services and compiles their policies.
func Read(services []protoreflect.ServiceDescriptor, rules schema.Rules, defaults func(protoreflect.FullName) Defaults) API {
	var api API

	for _, service := range services {
		own := defaults(service.FullName())

		for method := range schema.All(service.Methods()) {
			routes, faults := rules.OfMethod(method)
			api.RouteFaults = append(api.RouteFaults, faults...)

			for _, r := range routes {
				p, faults := Compile(r, own)
				api.Endpoints = append(api.Endpoints, Endpoint{Route: r, Policy: p})
				api.Faults = append(api.Faults, faults...)
			}

			switch {
			case len(routes) > 0 || len(faults) > 0 && !own.Internal:
			case Service(service).GetComposite():
				_, faults := batchOf(schema.Unrouted(method))
				api.Faults = append(api.Faults, faults...)
			default:
				r := schema.Unrouted(method)
				p, faults := Compile(r, own)
				api.Unrouted = append(api.Unrouted, Endpoint{Route: r, Policy: p})
				api.Faults = append(api.Faults, faults...)
			}
		}
	}

	api.Faults = append(api.Faults, agree(slices.Concat(api.Endpoints, api.Unrouted))...)

	return api
}

// Services are those of files.
func Services(files []protoreflect.FileDescriptor) []protoreflect.ServiceDescriptor {
	var services []protoreflect.ServiceDescriptor

	for _, file := range files {
		services = slices.AppendSeq(services, schema.All(file.Services()))
	}

	return services
}

// agree refuses rate limits that bear the same name, and so share buckets, but differ in more than their costs and in whether
// legs count.
func agree(endpoints []Endpoint) []*Fault {
	type first struct {
		rpc   string
		limit *porticov1.RateLimit
	}

	var faults []*Fault

	known, seen := map[string]first{}, map[string]bool{}

	for _, e := range endpoints {
		if seen[e.RPC] {
			continue
		}

		seen[e.RPC] = true

		for i, l := range e.Policy.Effective.GetRateLimits() {
			if l.GetName() == "" {
				continue
			}

			limit := proto.CloneOf(l)
			limit.Cost, limit.Legs = 0, false

			fault := &Fault{Route: e.Route, Field: fmt.Sprintf("rate_limits[%d]", i)}

			switch other, ok := known[l.GetName()]; {
			case !ok:
				known[l.GetName()] = first{rpc: e.RPC, limit: limit}
			case other.rpc == e.RPC:
				fault.Err = fmt.Errorf("%s has two rate limits named %q", e.RPC, l.GetName())
			case !proto.Equal(other.limit, limit):
				fault.Err = fmt.Errorf("the rate limits named %q of %s and %s differ in more than the cost",
					l.GetName(), other.rpc, e.RPC)
			}

			if fault.Err != nil {
				faults = append(faults, fault)
			}
		}
	}

	return faults
}
