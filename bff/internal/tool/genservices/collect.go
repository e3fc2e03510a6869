package genservices

import (
	"errors"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema/httprules"
	"github.com/portico-gateway/portico/bff/internal/schema/route"
	"github.com/portico-gateway/portico/bff/internal/tool/protolint"
)

var errPackageName = errors.New("not a Go identifier")

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

// collect returns the services that have routes, by name. The error is what portico lint says of what a gateway does not start
// with.
func collect(files []*protogen.File, description Description) ([]service, error) {
	var (
		services []service
		own      []protoreflect.FileDescriptor
	)

	for _, file := range files {
		if file.Generate {
			own = append(own, file.Desc)
		}
	}

	if err := faults(own, description); err != nil {
		return nil, err
	}

	for _, file := range files {
		if !file.Generate {
			continue
		}

		for _, in := range file.Services {
			out, err := describe(file, in, description)
			if err != nil {
				return nil, err
			}

			if len(out.Routes) > 0 {
				services = append(services, out)
			}
		}
	}

	slices.SortFunc(services, func(a, b service) int { return strings.Compare(a.Name, b.Name) })

	return services, nil
}

// faults are what is wrong with routes and policies, a line each.
func faults(files []protoreflect.FileDescriptor, description Description) error {
	settings := protolint.Settings{Rules: description.Rules, Defaults: description.Defaults, Path: description.Path}

	findings := protolint.Faults(files, settings)
	lines := make([]error, 0, len(findings))

	for _, finding := range findings {
		lines = append(lines, errors.New(finding.String()))
	}

	return errors.Join(lines...)
}

// describe returns the service, which has no fault; with no routes if it is not for the table.
func describe(file *protogen.File, in *protogen.Service, description Description) (service, error) {
	routes, err := description.Rules.Of(in.Desc)
	if err != nil || len(routes) == 0 {
		return service{}, err
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

	if out.HTTPRules, err = httprules.Text(description.Rules, in.Desc); err != nil {
		return service{}, err
	}

	if !out.Composite && out.Upstream == "" {
		out.Upstream, _, _ = strings.Cut(string(file.Desc.Package()), ".")
	}

	for _, r := range routes {
		known := policy.Route{Method: r.Method, Variables: r.Template.Variables()}

		compiled, err := policy.Compile(r.Descriptor, known, description.Defaults)
		if err != nil {
			return service{}, err
		}

		out.Operations = append(out.Operations, openapi.Operation{Route: r, Policy: compiled})
	}

	return out, nil
}
