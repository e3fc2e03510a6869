package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/tool/scaffold"
)

func newCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "new",
		Short:   "Write the first version of something new",
		Example: `  portico new service catalog --resource Item`,
	}
	cmd.AddCommand(newServiceCommand())

	return group(cmd)
}

func newServiceCommand() *cobra.Command {
	var (
		opts   scaffold.Options
		dryRun bool
	)

	cmd := &cobra.Command{
		Use:   "service NAME",
		Short: "Write a proto, a backend with tests and the configuration of a new service",
		Long: `Write a proto, a backend with tests and the configuration of a new service, in a checkout of Portico.

The service stores a resource and has its standard methods: create, get, list, update and delete, with routes,
policy and validation. All of it is yours to change. Existing files are not overwritten.

NAME is one word in lower case. It names the proto package, the upstream and the scope for writing.`,
		Example: `  portico new service catalog --resource Item
  portico new service loyalty --resource LoyaltyCard
  portico new service staff --resource Person --plural people --dry-run`,
		Args: nameArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]

			// A plan writes nothing: an error is one of the name or the folder.
			plan, err := scaffold.Service(opts)
			if err != nil {
				return usageError{err}
			}

			if !dryRun {
				if err := plan.Write(); err != nil {
					return fmt.Errorf("new service: %w", err)
				}
			}

			return printPlan(cmd.OutOrStdout(), plan, opts.Name, dryRun)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Resource, "resource", "", "what the service stores, such as LoyaltyCard (default: named as the service)")
	flags.StringVar(&opts.Plural, "plural", "", "its plural, such as loyalty_cards (default: by the rules of English)")
	flags.StringVar(&opts.Dir, "dir", ".", "root of the checkout")
	flags.BoolVar(&dryRun, "dry-run", false, "only print what would be written")

	return cmd
}

func nameArg(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("NAME is missing, such as catalog")
	}

	return atMost(1, "one NAME")(cmd, args)
}

const nextSteps = `
Next:

  make quick                                # gen/ from the proto, and the tests of backends/internal/%[1]s; all tests: make test
  make run                                  # serves it; in another terminal:

  TOKEN=$(%[4]s token --subject editor --scope %[2]s)
  curl -s -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080%[3]s
  curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    http://127.0.0.1:8080%[3]s -d '{"title": "Mine"}'
`

func printPlan(w io.Writer, plan *scaffold.Plan, name string, dryRun bool) error {
	var text strings.Builder

	for _, f := range plan.Files {
		verb := "wrote"
		if f.Changed {
			verb = "changed"
		}

		if dryRun {
			verb = "would have " + strings.Replace(verb, "wrote", "written", 1)
		}

		_, _ = fmt.Fprintf(&text, "%s %s\n", verb, f.Path)
	}

	if !dryRun {
		_, _ = fmt.Fprintf(&text, nextSteps, name, plan.Scope, plan.Path, program())
	}

	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}
