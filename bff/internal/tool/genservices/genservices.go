// Package genservices generates the table of services that a gateway serves: for each its upstream, its register function and its
// routes, in one file for all. What would keep a gateway from starting with them (contending routes, missing or faulty policy)
// fails here already.
//
// Beside it stand the comments of the protos, and the description of the API as OpenAPI.
//
// It is the work of protoc-gen-portico. It generates no handlers: protoc-gen-grpc-gateway does.
package genservices

import (
	"fmt"
	"go/token"

	"google.golang.org/protobuf/compiler/protogen"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// Names of the generated files, at the root of the output folder.
const (
	FileName        = "services.gen.go"
	descriptionName = "description.gen.go"
)

// Generate adds the table of all services with routes in the files to generate, in a Go package of this name, and describes them.
// The error names every fault with the .proto file or the RPC that it is in.
func Generate(plugin *protogen.Plugin, packageName string, description Description) error {
	if !token.IsIdentifier(packageName) {
		return fmt.Errorf("option package=%s: %w", packageName, errPackageName)
	}

	defaultPolicy, err := policy.Default(description.DefaultPolicy)
	if err != nil {
		return fmt.Errorf("option default_policy=%s: %w", description.DefaultPolicy, err)
	}

	description.Defaults = description.Defaults.Over(defaultPolicy)

	services, err := collect(plugin.Files, description)
	if err != nil {
		return err
	}

	made, err := examples(services)
	if err != nil {
		return err
	}

	said := texts{comments: comments(services), examples: made}

	for name, source := range map[string]string{FileName: tableSource, descriptionName: descriptionSource} {
		text, err := render(name, source, table{
			Package: packageName, DefaultPolicy: description.DefaultPolicy, Services: services,
			Comments: entries(said.comments), Examples: entries(said.examples),
		})
		if err != nil {
			return err
		}

		// No import path: the table refers to other packages by imports of its own.
		if _, err := plugin.NewGeneratedFile(name, "").Write(text); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}

	return description.write(plugin, services, said)
}
