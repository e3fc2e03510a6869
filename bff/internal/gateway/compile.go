package gateway

import (
	"errors"
	"fmt"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema/httprules"
	"github.com/portico-gateway/portico/bff/internal/schema/route"
)

// Route is a route with its policy.
type Route struct {
	route.Route

	Policy policy.Policy

	// mux is what the generated handler refers to, handler that handler, and binding how its requests are read.
	mux     *runtime.ServeMux
	handler runtime.HandlerFunc
	binding *binding.Binding
	// located returns the path variables of the GET route that a path leads to.
	located func(path string) (map[string]string, bool)
	// responseBody is the field that is the answer. Nil: the whole message is.
	responseBody protoreflect.FieldDescriptor
	// responseHeader says what of a backend's metadata the configuration lets through; nil: nothing.
	responseHeader func(metadata string) (header string, ok bool)
	// alone tells that no embedding program has to do with the translation, whole that the codec writes whole messages, and
	// undecoded that nobody else looks into them.
	alone, whole, undecoded bool
}

// Compile finds the routes of the registrations in the linked descriptors and compiles their policies, without binding handlers. It
// refuses a route without policy, an unclear route, and what else makes no sense, and names every fault. The result is ordered, the
// most specific route first.
func Compile(registrations []Registration, config Config) ([]Route, error) {
	plain, faults := allRoutes(registrations, config.Rules)

	if err := route.Check(plain); err != nil {
		faults = append(faults, err)
	}

	route.Sort(plain)

	faults = append(faults, unselected(plain, config.Defaults.Overrides)...)

	defaults, err := defaultsOf(registrations, config.Defaults)
	if err != nil {
		faults = append(faults, err)
	}

	routes := make([]Route, 0, len(plain))
	limits := map[string][]policy.RateLimit{}

	for _, r := range plain {
		known := policy.Route{Method: r.Method, Variables: r.Template.Variables()}

		p, err := policy.Compile(r.Descriptor, known, defaults[r.Descriptor.Parent().FullName()])
		if err != nil {
			faults = append(faults, fmt.Errorf("route %s %s: %w", r.Method, r.Template, err))
		}

		routes = append(routes, Route{
			Route: r, Policy: p, responseBody: r.Descriptor.Output().Fields().ByName(protoreflect.Name(r.ResponseBody)),
		})
		limits[r.RPC] = p.RateLimits
	}

	if err := limit.Agree(limits); err != nil {
		faults = append(faults, err)
	}

	return routes, joinFaults("routes", faults)
}

// allRoutes are those of the registrations, in their order.
func allRoutes(registrations []Registration, rules route.Rules) ([]route.Route, []error) {
	var (
		plain   []route.Route
		faults  []error
		methods []string
	)

	seen := map[string]bool{}

	for _, reg := range registrations {
		for _, name := range reg.Services {
			if seen[name] {
				faults = append(faults, fmt.Errorf("service %s is registered twice", name))

				continue
			}

			seen[name] = true

			service, found, err := routesOf(name, rules)
			if err != nil {
				faults = append(faults, err)
			}

			plain = append(plain, found...)

			if service != nil {
				methods = append(methods, httprules.Methods(service)...)
			}
		}
	}

	if err := httprules.Unknown(rules, methods); err != nil {
		faults = append(faults, err)
	}

	return plain, faults
}

// defaultsOf are the defaults of each service.
func defaultsOf(registrations []Registration, common policy.Defaults) (map[protoreflect.FullName]policy.Defaults, error) {
	defaults := map[protoreflect.FullName]policy.Defaults{}

	for _, reg := range registrations {
		own, err := policy.Default(reg.DefaultPolicy)
		if err != nil {
			return nil, fmt.Errorf("%q: default policy %q: %w", reg.Services, reg.DefaultPolicy, err)
		}

		for _, name := range reg.Services {
			defaults[protoreflect.FullName(name)] = common.Over(own)
		}
	}

	return defaults, nil
}

// unselected are the faults of overrides that are for no route.
func unselected(routes []route.Route, overrides []policy.Override) []error {
	var faults []error

	for _, o := range overrides {
		if !slices.ContainsFunc(routes, func(r route.Route) bool { return o.Selects(r.Descriptor.FullName()) }) {
			faults = append(faults, fmt.Errorf("the policy for %q: no method with a route is selected", o.Selector))
		}
	}

	return faults
}

// routesOf finds a service and its routes. Of a service whose routes are faulty it returns the service.
func routesOf(name string, rules route.Rules) (protoreflect.ServiceDescriptor, []route.Route, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, nil, fmt.Errorf("service %s is not linked into this program: %w", name, err)
	}

	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, nil, fmt.Errorf("%s is not a service", name)
	}

	routes, err := rules.Of(service)
	if err != nil {
		faults := route.Faults(err)

		positioned := make([]error, 0, len(faults))
		for _, f := range faults {
			if f.Rule != nil {
				positioned = append(positioned, fmt.Errorf("%s:%d:%d: %w", f.Rule.File, f.Rule.Line, f.Rule.Column, f))
			} else {
				positioned = append(positioned, f)
			}
		}

		return service, nil, fmt.Errorf("service %s: %w", name, errors.Join(positioned...))
	}

	return service, routes, nil
}
