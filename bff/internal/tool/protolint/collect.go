package protolint

import (
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

var errDeleteBody = errors.New("body: there is none in a request with DELETE; protoc-gen-portico-gateway lets it have one with" +
	" the option allow_delete_body=true")

// collect reads the routes and policies of services and finds what is wrong with each on its own.
func (l *linter) collect(services []protoreflect.ServiceDescriptor) {
	api := policy.Read(services, l.settings.Rules, func(protoreflect.FullName) policy.Defaults { return l.settings.Defaults })
	served := map[protoreflect.Descriptor]bool{}

	for _, service := range services {
		l.ignores(service)

		for i := range service.Methods().Len() {
			l.ignores(service.Methods().Get(i))
		}
	}

	for _, fault := range api.RouteFaults {
		served[fault.Method.Parent()] = true

		l.find(fault.Method, protopos.Fault(fault), RouteInvalid, fault.Error())
	}

	for i, e := range api.Endpoints {
		served[e.Descriptor.Parent()] = true

		faults := e.CheckFields()
		if l.settings.NoDeleteBody && e.Method == http.MethodDelete && e.Body != "" {
			faults = append(faults, e.BodyFault(errDeleteBody))
		}

		for _, fault := range faults {
			l.find(e.Descriptor, protopos.Fault(fault), RouteInvalid, fmt.Sprintf("%s: %v", e, fault.Err))
		}

		first := i == 0 || api.Endpoints[i-1].RPC != e.RPC
		l.endpoints = append(l.endpoints, endpoint{Endpoint: e, first: first})
	}

	for _, service := range services {
		if served[service] {
			l.service(service)
		}
	}

	l.policies(api.Faults)
}

// unknown finds rules of a gRPC API configuration for methods that there are not.
func (l *linter) unknown(files []protoreflect.FileDescriptor) {
	err := schema.UnknownRules(l.settings.Rules, schema.MethodsOf(files))
	if err == nil {
		return
	}

	for _, fault := range parts(err) {
		if u, ok := errors.AsType[*schema.UnknownRulesError](fault); ok {
			l.find(nil, protopos.Rule(u.Rule), RouteInvalid, u.Problem)
		}
	}
}

// service checks where a service lives, as protoc-gen-portico does.
func (l *linter) service(service protoreflect.ServiceDescriptor) {
	options := policy.Service(service)

	switch {
	case options.GetComposite() && options.GetUpstream() != "":
		l.find(service, protopos.Service(service), ServiceInvalid,
			fmt.Sprintf("a composite has no upstream, but upstream is %q", options.GetUpstream()))
	case !options.GetComposite() && options.GetUpstream() == "" && service.ParentFile().Package() == "":
		l.find(service, protopos.Service(service), ServiceInvalid, "without a package, portico.v1.service must name an upstream")
	}
}

// parts are the faults that an error is made of.
func parts(err error) []error {
	if many, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		return many.Unwrap()
	}

	return []error{err}
}
