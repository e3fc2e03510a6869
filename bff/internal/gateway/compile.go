package gateway

import (
	"fmt"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Route is a route with its policy, and the handler behind it.
type Route struct {
	policy.Endpoint

	// mux is what the generated handler uses, binding how its requests are read.
	mux     *runtime.ServeMux
	handler runtime.HandlerFunc
	binding *binding.Binding
	// located returns the path variables of the GET route that matches a path.
	located func(path string) (map[string]string, bool)
	// responseBody is the field that is the response. Nil: the message is.
	responseBody protoreflect.FieldDescriptor
	// pages is how the next page is asked for. Nil: the results do not come in pages.
	pages *pages
	// responseHeader returns the header for a backend's metadata, if the configuration lists it. Nil: it lists none.
	responseHeader func(metadata string) (header string, ok bool)
	// defaultTranslation reports that no embedding program changes the translation, wholeMessage that the response then is one
	// message, and passThrough that nothing but the codec reads it, so that it need not be decoded.
	defaultTranslation, wholeMessage, passThrough bool
}

// Compile finds the routes of the registrations in the linked descriptors and compiles their policies, without binding handlers. It
// refuses routes without a policy, ambiguous routes and other mistakes, and names every fault. The most specific route comes first.
func Compile(registrations []Registration, config Config) ([]Route, error) {
	services, faults := servicesOf(registrations)

	defaults, err := defaultsOf(registrations, config.Defaults)
	if err != nil {
		faults = append(faults, err)
	}

	api := policy.Read(services, config.Rules, func(service protoreflect.FullName) policy.Defaults { return defaults[service] })

	for _, fault := range api.RouteFaults {
		faults = append(faults, positioned(fault))
	}

	methods := make([]string, 0, len(services))
	for _, service := range services {
		methods = append(methods, schema.Methods(service)...)
	}

	routes := make([]Route, 0, len(api.Endpoints))
	plain := make([]schema.Route, 0, len(api.Endpoints))

	for _, e := range api.Endpoints {
		routes = append(routes, Route{
			Endpoint: e, responseBody: e.Descriptor.Output().Fields().ByName(protoreflect.Name(e.ResponseBody)),
		})
		plain = append(plain, e.Route)
	}

	slices.SortStableFunc(routes, func(a, b Route) int { return schema.CompareRoutes(a.Route, b.Route) })

	faults = append(faults, schema.UnknownRules(config.Rules, methods), schema.CheckRoutes(plain), policy.Error(api.Faults))
	faults = append(faults, unselected(plain, config.Defaults.Overrides)...)

	return routes, joinFaults("routes", faults)
}

// servicesOf returns the services of the registrations, in order.
func servicesOf(registrations []Registration) (services []protoreflect.ServiceDescriptor, faults []error) {
	seen := map[string]bool{}

	for _, reg := range registrations {
		for _, name := range reg.Services {
			if seen[name] {
				faults = append(faults, fmt.Errorf("service %s is registered twice", name))
				continue
			}

			seen[name] = true

			found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
			if err != nil {
				faults = append(faults, fmt.Errorf("service %s is not linked into this program: %w", name, err))
			} else if service, ok := found.(protoreflect.ServiceDescriptor); ok {
				services = append(services, service)
			} else {
				faults = append(faults, fmt.Errorf("%s is not a service", name))
			}
		}
	}

	return services, faults
}

// positioned adds the position of the rule to a fault, if that is not in a proto.
func positioned(fault *schema.Fault) error {
	if fault.Rule == nil {
		return fault
	}

	return fmt.Errorf("%s:%d:%d: %w", fault.Rule.File, fault.Rule.Line, fault.Rule.Column, fault)
}

// defaultsOf returns the defaults of each service.
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

// unselected returns the faults of overrides that select no route.
func unselected(routes []schema.Route, overrides []policy.Override) []error {
	var faults []error

	for _, o := range overrides {
		if !slices.ContainsFunc(routes, func(r schema.Route) bool { return o.Selects(r.Descriptor.FullName()) }) {
			faults = append(faults, fmt.Errorf("the policy for %q: no method with a route is selected", o.Selector))
		}
	}

	return faults
}
