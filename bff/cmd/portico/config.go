package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/config"
)

func configCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "config",
		Short: "Print the configuration as it is in effect, and the schema of the file",
	})
	cmd.AddCommand(configShowCommand(), configSchemaCommand())

	return cmd
}

func configShowCommand() *cobra.Command {
	var (
		path   string
		origin bool
	)

	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print every setting as it is in effect: file, environment and defaults",
		Long: `Print every setting as it is in effect: what the file and the environment set, and the defaults for the rest. Secrets
are replaced by xxxxx. The output can be used as a file, but for that. Its first line has a hash, which is the same for
configurations that have the same effect; a running gateway has it in its log and its metrics.

What the settings mean together is not checked: that is portico check.`,
		Example: `  portico config show --config portico.yaml
  portico config show --config portico.yaml --origin | grep -v '# default'
  portico config show --config portico.yaml --output json | jq .configuration.upstreams`,
		Args: noArgs,
	}
	form := addForm(cmd, outputYAML, outputJSON)
	addConfig(cmd, &path, configUsage)
	cmd.Flags().BoolVar(&origin, "origin", false, "print where each setting is set: file, variable or default")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := readConfig(path, config.Read)
		if err != nil {
			return err
		}

		shown, err := cfg.Shown()
		if err != nil {
			return err
		}

		return printShown(cmd, shown, origin, form.name == outputJSON)
	}

	return cmd
}

func printShown(cmd *cobra.Command, shown config.Shown, origin, asJSON bool) error {
	if asJSON {
		if !origin {
			shown.Origins = nil
		}

		return printJSON(cmd.OutOrStdout(), shown)
	}

	text, err := shown.YAML(origin)
	if err != nil {
		return err
	}

	if _, err := cmd.OutOrStdout().Write(text); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

func configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration file",
		Long: `Print the JSON Schema (2020-12) of the configuration file, for editors and other programs. Editors that use the YAML
language server take it from a comment in the file:

  # yaml-language-server: $schema=portico.schema.json`,
		Example: "  portico config schema > portico.schema.json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := cmd.OutOrStdout().Write(config.Schema()); err != nil {
				return fmt.Errorf("print: %w", err)
			}

			return nil
		},
	}
}

// outputYAML is the form of configurations.
const outputYAML = "yaml"

// form is the flag --output of a command that prints something else than tables.
type form struct {
	name  string
	known []string
}

// addForm adds the flag. The first form is the default.
func addForm(cmd *cobra.Command, known ...string) *form {
	f := &form{name: known[0], known: known}
	cmd.Flags().Var(f, "output", "how to print: "+strings.Join(known, " or "))
	// The flag exists, a line above.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp))

	return f
}

// String implements pflag.Value.
func (f *form) String() string { return f.name }

// Set implements pflag.Value.
func (f *form) Set(text string) error {
	if !slices.Contains(f.known, text) {
		return fmt.Errorf("must be %s", strings.Join(f.known, " or "))
	}

	f.name = text

	return nil
}

// Type implements pflag.Value.
func (*form) Type() string { return "format" }
