package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// Route is a route with its policy, and the handler behind it.
type Route struct {
	policy.Endpoint

	// mux is what the generated handler uses, binding how its requests are read.
	mux     *runtime.ServeMux
	handler runtime.HandlerFunc
	binding *binding.Binding
	// located returns the path variables of the GET route that matches a path.
	located func(path string) (pathtemplate.Values, bool)
	// responseBody is the field that is the response. Nil: the message is.
	responseBody protoreflect.FieldDescriptor
	// pages is how the next page is asked for. Nil: the results do not come in pages.
	pages *pages
	// responseHeaders are those of the configuration; see Config.
	responseHeaders map[string]string
	// defaultTranslation reports that no embedding program changes the translation, wholeMessage that the response then is one
	// message, and passThrough that it need not be decoded, because the codec and the header Location read encoded ones.
	defaultTranslation, wholeMessage, passThrough bool
	// ownWriter reports that messages reach the codec by way of intoBuffer.
	ownWriter bool
	// ownContext reports that calls have the context of the request itself, rather than what the generated handler derives from it.
	ownContext bool
}

// API is what the registrations of a gateway make of it.
type API struct {
	// Routes are the most specific first.
	Routes []Route
	// Methods are those that composites can call with their policies, by RPC. If there are composites, they include the methods of
	// services that are linked into the program and not registered, such as those without any route.
	Methods map[string]*policy.Method
}

// Compile finds the routes of the registrations in the linked descriptors and compiles their policies, without binding handlers. It
// refuses routes without a policy, ambiguous routes and other mistakes, and names every fault.
func Compile(registrations []Registration, config Config) (API, error) {
	services, faults := servicesOf(registrations)

	defaults, err := defaultsOf(registrations, config.Defaults)
	if err != nil {
		faults = append(faults, err)
	}

	api := policy.Read(services, config.Rules, func(service protoreflect.FullName) policy.Defaults { return defaults[service] })

	for _, fault := range api.RouteFaults {
		faults = append(faults, positioned(fault))
	}

	names := make([]string, 0, len(services))
	for _, service := range services {
		names = append(names, schema.Methods(service)...)
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

	methods := api.Methods()
	if config.Composites {
		maps.Copy(methods, linked(services, config))
	}

	policyFaults, settingFaults := overrideFaults(api.Faults, methods, config.Defaults.Overrides)
	faults = append(faults, schema.UnknownRules(config.Rules, names), schema.CheckRoutes(plain), policy.Error(policyFaults))

	return API{Routes: routes, Methods: methods}, errors.Join(joinFaults("routes", faults), errors.Join(settingFaults...))
}

// linked are the methods of services that are linked into the program, but for those that are registered, and composites. Faults of
// their policies are no faults of the gateway: only such methods cannot be called.
func linked(registered []protoreflect.ServiceDescriptor, config Config) map[string]*policy.Method {
	var files []protoreflect.FileDescriptor

	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		files = append(files, file)

		return true
	})

	services := slices.DeleteFunc(policy.Services(files), func(service protoreflect.ServiceDescriptor) bool {
		return slices.Contains(registered, service) || policy.Service(service).GetComposite()
	})

	defaults := config.Defaults
	defaults.Internal = true

	return policy.Read(services, config.Rules, func(protoreflect.FullName) policy.Defaults { return defaults }).Methods()
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
