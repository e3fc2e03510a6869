package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite/all"
	"github.com/portico-gateway/portico/gen"
)

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   programName,
		Short: "A REST to gRPC gateway whose policy lives in the schema",
		Long: `Portico serves Protocol Buffers services as REST: routes come from google.api.http
options, and who may call how often for how long from portico.v1 options beside them.

To see it at work, with demo backends and a token:   portico dev
To run it in front of your backends:                 portico serve --config portico.yaml
To see what it would do:                             portico routes, portico explain
To check protos before they are merged:              portico lint, portico breaking

Exit codes: 0 if all went well; 1 if something failed or was found (findings, breaking changes, a refused
request); 2 if the command line or the configuration is invalid. Colours are printed only on terminals, and not with
NO_COLOR.`,
		Example: `  portico dev
  portico routes --output json
  portico explain GET /v1/users/alice/orders --as bob
  portico breaking --against main
  source <(portico completion bash)`,
		Version:       thisBuild().Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), devCommand(), tokenCommand(), apikeyCommand(), routesCommand(), explainCommand(),
		lintCommand(), breakingCommand(), checkCommand(), configCommand(), newCommand(), versionCommand())
	root.SetFlagErrorFunc(explainFlag)
	root.PersistentPreRunE = requireFlags
	addStandardCommands(root)
	nameProgram(root, program())

	return root
}

// addStandardCommands adds those that each program of cobra has, but strict about their arguments.
func addStandardCommands(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()

	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			group(cmd)
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if found, rest, err := root.Find(args); err != nil || found == nil || len(rest) > 0 {
					return usagef("there is no command %q", strings.Join(args, " "))
				}

				return nil
			}
		}
	}
}

// services is everything that this gateway serves: what was generated, and what is implemented inside of it.
func services() []bff.Option {
	return append(all.Composites(), bff.WithServices(gen.Services()...))
}
