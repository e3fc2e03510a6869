package genservices

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Description is how the API is described.
type Description struct {
	// Title and Version name it. Empty: as package openapi has them.
	Title, Version string
	// DefaultPolicy is the name of the policy for what the options and Defaults do not say; see policy.Default.
	DefaultPolicy string
	// Handlers is the import path of the folder below which handlers are in packages of their own, by the folders of the protos.
	// Empty: they are with the clients.
	Handlers string
	// Rules are those of a gRPC API configuration.
	Rules schema.Rules
	// Defaults hold where the options say nothing.
	Defaults policy.Defaults
	// Path returns the path by which a .proto file is shown. Nil: the one by which it is imported.
	Path func(file string) string
	// Folder is where the documents go, below that of the table.
	Folder string
}

func (d Description) defaults(protoreflect.FullName) policy.Defaults { return d.Defaults }

// write adds openapi.json and openapi.yaml.
func (d Description) write(plugin *protogen.Plugin, data table) error {
	var endpoints []policy.Endpoint
	for _, s := range data.Services {
		endpoints = append(endpoints, s.Routes...)
	}

	document, err := openapi.Build(endpoints, openapi.Config{
		Gateway:  config.Config{Docs: config.Docs{Title: d.Title, Version: d.Version}},
		Comments: data.Comments, Examples: data.Examples,
	})
	if err != nil {
		return fmt.Errorf("describe the API: %w", err)
	}

	for name, encode := range map[string]func() ([]byte, error){"openapi.json": document.JSON, "openapi.yaml": document.YAML} {
		text, err := encode()
		if err != nil {
			return err
		}

		if err := write(plugin, d.Folder+"/"+name, text); err != nil {
			return err
		}
	}

	return nil
}
