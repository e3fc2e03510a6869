// Package genservices is protoc-gen-portico: it generates the table of services that a gateway serves, with the upstream, the
// register function and the routes of each, the comments of the protos, and the OpenAPI description. It fails if a gateway would
// not start with them (conflicting routes, missing or invalid policies). The list of composites is a file of its own, because the
// table imports nothing but generated code, and the list imports their implementations.
//
// It generates no handlers: protoc-gen-portico-gateway does.
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

	data := table{
		Package: packageName, DefaultPolicy: description.DefaultPolicy, Services: services, Comments: comments(services),
	}
	if data.Examples, err = examples(services); err != nil {
		return err
	}

	for name, source := range map[string]string{FileName: tableSource, descriptionName: descriptionSource} {
		text, err := renderTable(name, source, data)
		if err != nil {
			return err
		}

		if err := write(plugin, name, text); err != nil {
			return err
		}
	}

	return description.write(plugin, data)
}

// write adds a file. It has no import path: its code refers to other packages by imports of its own.
func write(plugin *protogen.Plugin, name string, text []byte) error {
	if _, err := plugin.NewGeneratedFile(name, "").Write(text); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}

	return nil
}
