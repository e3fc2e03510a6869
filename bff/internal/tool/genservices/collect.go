package genservices

import (
	"errors"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protolint"
)

var errPackageName = errors.New("not a Go identifier")

// service is an entry of the table.
type service struct {
	Name      string
	Upstream  string
	Composite bool
	Routes    []policy.Endpoint
	// HTTPRules are those of the routes that are not in the proto.
	HTTPRules string

	// GoName is part of the names of generated functions.
	GoName    string
	GoPackage protogen.GoPackageName
	// ImportPath is where the client is, Handlers where the handlers are.
	ImportPath, Handlers protogen.GoImportPath
}

// collect returns the services that have routes, by name. The error is what portico lint says of what a gateway does not start
// with.
func collect(files []*protogen.File, description Description) ([]service, error) {
	files = slices.DeleteFunc(slices.Clone(files), func(file *protogen.File) bool { return !file.Generate })
	own := make([]protoreflect.FileDescriptor, 0, len(files))

	for _, file := range files {
		own = append(own, file.Desc)
	}

	if err := faults(own, description); err != nil {
		return nil, err
	}

	var services []service

	for _, file := range files {
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

// faults returns what is wrong with routes and policies, a line each.
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
func describe(file *protogen.File, in *protogen.Service, description Description) (out service, err error) {
	api := policy.Read([]protoreflect.ServiceDescriptor{in.Desc}, description.Rules, description.defaults)
	if len(api.Endpoints) == 0 {
		return service{}, nil
	}

	options := policy.Service(in.Desc)
	out = service{
		Name: string(in.Desc.FullName()), Upstream: options.GetUpstream(), Composite: options.GetComposite(), Routes: api.Endpoints,
		GoName: in.GoName, ImportPath: file.GoImportPath, GoPackage: file.GoPackageName,
	}

	out.Handlers = out.ImportPath
	if description.Handlers != "" {
		out.Handlers = protogen.GoImportPath(path.Join(description.Handlers, path.Dir(file.Desc.Path())))
	}

	if out.HTTPRules, err = schema.RulesText(description.Rules, in.Desc); err != nil {
		return service{}, err
	}

	if !out.Composite && out.Upstream == "" {
		out.Upstream, _, _ = strings.Cut(string(file.Desc.Package()), ".")
	}

	return out, nil
}
