package main

import (
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// configurationFlag is called as the option of the plugins.
const configurationFlag = "--grpc-api-configuration"

func addConfiguration(cmd *cobra.Command, configuration *string) {
	cmd.Flags().StringVar(configuration, configurationFlag[len("--"):], "",
		"a file with routes that are not in the protos, relative to DIR")
}

// readConfiguration reads a gRPC API configuration in a folder.
func readConfiguration(dir, name string) ([]byte, error) {
	if filepath.IsAbs(name) {
		return nil, usagef("%s: %s must be relative to %s", configurationFlag, name, dir)
	}

	text, err := protosource.File(dir, name)
	if err != nil {
		return nil, usagef("%s: %w (the path is relative to %s)", configurationFlag, err, dir)
	}

	return text, nil
}

// readRules reads the routes of a gRPC API configuration in a folder; none if it has no name.
func readRules(dir, name string) (schema.Rules, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // Nil are no rules.
	}

	text, err := readConfiguration(dir, name)
	if err != nil {
		return nil, err
	}

	rules, err := schema.ParseRules(filepath.ToSlash(name), text)
	if err != nil {
		// The error is for people, who are not in the folder.
		_, err = schema.ParseRules(path.Join(filepath.ToSlash(dir), filepath.ToSlash(name)), text)
	}

	return rules, err
}
