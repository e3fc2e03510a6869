package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

// errRefused makes the exit code of an explanation tell its end.
var errRefused = errors.New("the request would be refused")

func explainCommand() *cobra.Command {
	var (
		path, data string
		caller     bff.Caller
	)

	cmd := &cobra.Command{
		Use:   "explain METHOD PATH",
		Short: "Tell which RPC a request reaches and what each policy says to it",
		Long: `Tell which RPC a request reaches, with which path variables and which request message, and what each
demand of its access policy says to the caller. No backend is called. The exit code is 0 if the request is allowed.`,
		Example: `  portico explain GET /v1/users/alice/orders --as alice
  portico explain GET /v1/users/alice/orders --as bob --scope orders:admin
  portico explain POST /v1/orders --as alice --data '{"items": []}'`,
		Args: cobra.ExactArgs(2), //nolint:mnd // METHOD and PATH.
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Read(path, os.Environ())
			if err != nil {
				return fmt.Errorf("configuration:\n%w", err)
			}

			target, err := url.ParseRequestURI(args[1])
			if err != nil {
				return fmt.Errorf("path: %w", err)
			}

			r, err := http.NewRequestWithContext(cmd.Context(), strings.ToUpper(args[0]), target.String(), strings.NewReader(data))
			if err != nil {
				return fmt.Errorf("request: %w", err)
			}

			found, err := bff.Explain(cmd.Context(), cfg, r, caller, services()...)
			if err != nil {
				return err
			}

			return printExplanation(cmd.OutOrStdout(), found)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&caller.Subject, "as", "", "the caller's subject; without it, the caller is anonymous")
	flags.StringSliceVar(&caller.Scopes, "scope", nil, "a scope of the caller; may be repeated")
	flags.StringSliceVar(&caller.Roles, "role", nil, "a role of the caller; may be repeated")
	flags.StringVar(&caller.Tenant, "tenant", "", "the caller's tenant")
	flags.StringVar(&caller.Issuer, "issuer", "", "the issuer of the caller's token")
	flags.StringVar(&data, "data", "", "the body, as JSON")
	flags.StringVar(&path, "config", "", "for defaults that the schema leaves to it: "+configUsage)

	return cmd
}

func printExplanation(w io.Writer, found bff.Explanation) error {
	const gap = 2

	table := tabwriter.NewWriter(w, 0, 0, gap, ' ', 0)
	line := func(name, text string) { _, _ = fmt.Fprintf(table, "%s\t%s\n", name, text) }

	if found.Route != nil {
		line("route", found.Route.Method+" "+found.Route.Path)
		line("rpc", found.Route.RPC)
		line("policy", found.Route.Policy)

		for _, name := range slices.Sorted(maps.Keys(found.Variables)) {
			line("variable", name+" = "+found.Variables[name])
		}
	}

	if found.Request == nil {
		line("answer", fmt.Sprintf("%d %s", found.Status, strings.TrimSpace(found.Answer)))
	} else {
		// Its spaces differ from one build to the next, by intent.
		line("request", strings.Join(strings.Fields(protojson.Format(found.Request)), " "))
	}

	for _, verdict := range found.Verdicts {
		if verdict.Fault == nil {
			line("allowed", verdict.Demand)
		} else {
			line("refused", verdict.Demand+": "+verdict.Fault.Error())
		}
	}

	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	if !found.Allowed() {
		return errRefused
	}

	return nil
}
