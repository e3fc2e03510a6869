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
		Use:   "new",
		Short: "Write the first version of something new",
		Example: `  portico new service catalog --resource Item
  portico new composite orderpage --over order,user`,
	}
	cmd.AddCommand(newServiceCommand(), newCompositeCommand())

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

			return printPlan(cmd.OutOrStdout(), plan, dryRun, fmt.Sprintf(nextSteps, opts.Name, plan.Scope, plan.Path, program()))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Resource, "resource", "", "what the service stores, such as LoyaltyCard (default: named as the service)")
	flags.StringVar(&opts.Plural, "plural", "", "its plural, such as loyalty_cards (default: by the rules of English)")
	flags.StringVar(&opts.Dir, "dir", ".", "root of the checkout")
	flags.BoolVar(&dryRun, "dry-run", false, "only print what would be written")

	return cmd
}

func newCompositeCommand() *cobra.Command {
	var (
		opts   scaffold.CompositeOptions
		dryRun bool
	)

	cmd := &cobra.Command{
		Use:   "composite NAME --over SERVICE,…",
		Short: "Write a proto, an implementation and tests of a new composite",
		Long: `Write a proto with a route, an implementation in the gateway and its tests, for a page that is put together from
several services.

SERVICE is the name of an upstream ("order") or of a service ("order.v1.OrderService"). Its Get method is called or, if
it has none, its List method. The page fails without the first one, and says so if another one is missing.

It works in a checkout of Portico, and in any repository whose buf.gen.yaml has a list of composites. Existing files are
not overwritten. NAME is one word in lower case.`,
		Example: `  portico new composite orderpage --over order,user
  portico new composite inbox --over user,notification.v1.NotificationService --dry-run`,
		Args: nameArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]

			plan, err := scaffold.Composite(cmd.Context(), opts)
			if err != nil {
				return usageError{err}
			}

			if !dryRun {
				if err := plan.Write(); err != nil {
					return fmt.Errorf("new composite: %w", err)
				}
			}

			scope := ""
			if plan.Scope != "" {
				scope = " --scope " + plan.Scope
			}

			return printPlan(cmd.OutOrStdout(), plan, dryRun,
				fmt.Sprintf(nextCompositeSteps, plan.Folder, plan.Path, program(), scope))
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&opts.Over, "over", nil, "what it calls, such as order,user; the first one is required")
	flags.StringVar(&opts.Dir, "dir", ".", "root of the repository")
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

const nextCompositeSteps = `
Next:

  make generate                             # gen/ from the proto, and the list of composites
  go test ./%[1]s
  make run                                  # serves it; in another terminal, with values for what is in capital letters:

  TOKEN=$(%[3]s token --subject alice%[4]s)
  curl -s -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:8080%[2]s'
`

// printPlan prints the files, and what comes next if they are written.
func printPlan(w io.Writer, plan *scaffold.Plan, dryRun bool, next string) error {
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
		text.WriteString(next)
	}

	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}
