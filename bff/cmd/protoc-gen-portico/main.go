// Command protoc-gen-portico is a protoc plugin that writes services.gen.go: the table of all services with REST routes, checked
// for conflicting routes and invalid policy; and their description, openapi/openapi.json and .yaml. It has to see all files at once
// ("strategy: all" in buf.gen.yaml).
//
// With the option composites=FOLDER it writes composites.gen.go instead: the list of the services that are implemented inside the
// gateway, in Go packages below that folder of the Go module. Those that are not implemented yet are reported and left out.
//
// Options: package=NAME, the Go package of the file, "gen" by default, or "all" for the list of composites;
// title=TEXT and version=TEXT, the name of the API;
// default_policy=deny, public or authenticated, the access policy of methods without one. Without it, such a method with a route is
// an error; grpc_api_configuration=FILE, routes that are not in the protos, as for protoc-gen-grpc-gateway;
// handlers=PATH, the import path of the folder that protoc-gen-portico-gateway has written to with the options standalone=true and
// paths=source_relative, if the Go packages of the protos are another module's.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/genservices"
	"github.com/portico-gateway/portico/bff/internal/tool/gomodule"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

func main() {
	var flags flag.FlagSet

	packageName := flags.String("package", "", "Go package of the generated file")
	title := flags.String("title", "", "title of the API")
	version := flags.String("version", "", "version of the API")
	defaultPolicy := flags.String("default_policy", "", "access policy of methods without one")
	handlers := flags.String("handlers", "", "import path of the folder that handlers were generated into with standalone=true")
	configuration := flags.String("grpc_api_configuration", "", "file of a gRPC API configuration, in YAML")
	composites := flags.String("composites", "", "folder of the packages of composites, of which a list is generated")
	usual := config.Config{}.WithDefaults()

	protogen.Options{ParamFunc: flags.Set}.Run(func(plugin *protogen.Plugin) error {
		plugin.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
			pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
		plugin.SupportedEditionsMinimum = descriptorpb.Edition_EDITION_PROTO2
		plugin.SupportedEditionsMaximum = descriptorpb.Edition_EDITION_2024

		if *composites != "" {
			return generateComposites(plugin, cmp.Or(*packageName, "all"), *composites)
		}

		var rules schema.Rules

		if *configuration != "" {
			var err error
			if rules, err = schema.LoadRules(*configuration); err != nil {
				return err
			}
		}

		return genservices.Generate(plugin, cmp.Or(*packageName, "gen"), genservices.Description{
			Title: *title, Version: *version, Folder: "openapi", DefaultPolicy: *defaultPolicy, Rules: rules, Handlers: *handlers,
			Path:     func(file string) string { return protopos.Locate(os.DirFS("."), file) },
			Defaults: policy.Defaults{Timeout: usual.Server.RequestTimeout, MaxBody: usual.Limits.MaxBodyBytes},
		})
	})
}

// generateComposites writes the list of the composites, whose packages are below the folder.
func generateComposites(plugin *protogen.Plugin, packageName, folder string) error {
	module, inside, err := gomodule.Find(folder)
	if err != nil {
		return fmt.Errorf("option composites=%s: %w", folder, err)
	}

	if module == "" {
		return fmt.Errorf("option composites=%s: it is not in a Go module", folder)
	}

	missing, err := genservices.GenerateComposites(plugin, packageName, genservices.Implementations{
		ImportPath: path.Join(module, inside), Files: os.DirFS(folder),
	})
	for _, text := range missing {
		_, _ = fmt.Fprintln(os.Stderr, text)
	}

	return err
}
