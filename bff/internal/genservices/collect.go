package genservices

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"

	"github.com/portico-gateway/portico/bff/internal/httprules"
	"github.com/portico-gateway/portico/bff/internal/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/protopos"
	"github.com/portico-gateway/portico/bff/internal/route"
)

var (
	errPackageName       = errors.New("not a Go identifier")
	errNoUpstream        = errors.New("without a package, portico.v1.service must name an upstream")
	errCompositeUpstream = errors.New("a composite has no upstream")
)

// service is what the table says about one.
type service struct {
	Name      string
	Upstream  string
	Composite bool
	Routes    []route.Route
	// HTTPRules are those of the routes that are not in the proto.
	HTTPRules string
	// Operations are the routes with their policies.
	Operations []openapi.Operation

	// GoName is what the names of generated functions are made of.
	GoName    string
	GoPackage protogen.GoPackageName
	// ImportPath is where the client is, Handlers where the handlers are.
	ImportPath, Handlers protogen.GoImportPath
}

// collect returns the services that have routes, by name, after checking them.
func collect(files []*protogen.File, description Description) ([]service, error) {
	var (
		services []service
		routes   []route.Route
		faults   []error
		methods  []string
	)

	for _, file := range files {
		if !file.Generate {
			continue
		}

		for _, in := range file.Services {
			out, errs := describe(file, in, description)
			faults = append(faults, errs...)
			methods = append(methods, httprules.Methods(in.Desc)...)

			if len(out.Routes) > 0 {
				services, routes = append(services, out), append(routes, out.Routes...)
			}
		}
	}

	faults = append(faults, httprules.Unknown(description.Rules, methods))

	if err := errors.Join(append(faults, contention(routes)...)...); err != nil {
		return nil, err
	}

	slices.SortFunc(services, func(a, b service) int { return strings.Compare(a.Name, b.Name) })

	return services, nil
}

// positioned are the faults of routes, each with its place in front.
func positioned(err error) []error {
	faults := route.Faults(err)

	out := make([]error, 0, len(faults))
	for _, f := range faults {
		out = append(out, fmt.Errorf("%s: %w", protopos.Fault(f), f))
	}

	return out
}

// contention is what is wrong with routes beside others, each fault with its place in front and those of the others behind.
func contention(routes []route.Route) []error {
	err := route.Check(routes)
	if err == nil {
		return nil
	}

	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}

	var out []error

	for _, part := range joined.Unwrap() {
		var (
			ambiguous   *route.AmbiguousError
			unreachable *route.UnreachableError
		)

		switch {
		case errors.As(part, &ambiguous):
			part = fmt.Errorf("%s: %w; the other is at %s", place(ambiguous.Route), part, place(ambiguous.Other))
		case errors.As(part, &unreachable):
			others := make([]string, 0, len(unreachable.Others))
			for _, other := range unreachable.Others {
				others = append(others, place(other))
			}

			part = fmt.Errorf("%s: %w; they are at %s", place(unreachable.Route), part, strings.Join(others, ", "))
		}

		out = append(out, part)
	}

	return out
}

// place is where a route is declared.
func place(r route.Route) string { return protopos.Fault(r.Fault(nil)).String() }

// describe returns the service, with no routes if it is not for the table, and all that is wrong with it, and where.
func describe(file *protogen.File, in *protogen.Service, description Description) (service, []error) {
	routes, err := description.Rules.Of(in.Desc)
	if err != nil {
		return service{}, positioned(err)
	}

	if len(routes) == 0 {
		return service{}, nil
	}

	options := policy.Service(in.Desc)
	out := service{
		Name: string(in.Desc.FullName()), Upstream: options.GetUpstream(), Composite: options.GetComposite(), Routes: routes,
		GoName: in.GoName, ImportPath: file.GoImportPath, GoPackage: file.GoPackageName,
	}

	out.Handlers = out.ImportPath
	if description.Handlers != "" {
		out.Handlers = protogen.GoImportPath(path.Join(description.Handlers, path.Dir(file.Desc.Path())))
	}

	var faults []error

	if out.HTTPRules, err = httprules.Text(description.Rules, in.Desc); err != nil {
		faults = append(faults, err)
	}

	switch {
	case out.Composite && out.Upstream != "":
		faults = append(faults, fmt.Errorf("%s: service %s: %w, but upstream is %q",
			file.Desc.Path(), out.Name, errCompositeUpstream, out.Upstream))
	case !out.Composite && out.Upstream == "":
		out.Upstream, _, _ = strings.Cut(string(file.Desc.Package()), ".")
		if out.Upstream == "" {
			faults = append(faults, fmt.Errorf("%s: service %s: %w", file.Desc.Path(), out.Name, errNoUpstream))
		}
	}

	for _, r := range routes {
		for _, f := range r.CheckFields() {
			faults = append(faults, fmt.Errorf("%s: %w", protopos.Fault(f), f))
		}

		known := policy.Route{Method: r.Method, Variables: r.Template.Variables()}

		compiled, err := policy.Compile(r.Descriptor, known, description.Defaults)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %s: %w", protopos.Policy(r.Descriptor), r, err))
		}

		out.Operations = append(out.Operations, openapi.Operation{Route: r, Policy: compiled})
	}

	return out, faults
}
