package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff"
)

func routesCommand() *cobra.Command {
	var path string

	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Print every route with its RPC, upstream and policy",
		Long: `Print every route with its RPC, upstream and policy, the most specific first. As JSON, each policy is a
portico.v1.MethodPolicy, with all defaults and overrides.`,
		Example: `  portico routes
  portico routes --output json
  portico routes --output json | jq -r '.[] | select(.policy.access.public) | .path'`,
		Args: noArgs,
	}
	out := addOutput(cmd)
	addConfig(cmd, &path, "for defaults that the schema leaves to it: "+configUsage)

	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := readConfig(path)
		if err != nil {
			return err
		}

		compiled, err := bff.Compile(cfg, services()...)
		if err != nil {
			return configError{error: err}
		}

		routes := compiled.Routes()
		if out.json {
			return printJSON(cmd.OutOrStdout(), routes)
		}

		return printRoutes(cmd, routes)
	}

	return cmd
}

func printRoutes(cmd *cobra.Command, routes []bff.Route) error {
	const gap = 2

	style := styleFor(cmd.OutOrStdout(), os.Getenv)
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, gap, ' ', 0)

	// The same on every line, so that columns stay columns.
	line := func(method, path, rpc, upstream, policy string) {
		_, _ = fmt.Fprintln(table, strings.Join([]string{
			style.strong(method), style.strong(path), rpc, upstream, style.faint(policy),
		}, "\t"))
	}
	line("METHOD", "PATH", "RPC", "UPSTREAM", "POLICY")

	for _, r := range routes {
		line(r.Method, r.Path, r.RPC, upstreamName(r), r.Summary)
	}

	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// upstreamName is where a route leads.
func upstreamName(r bff.Route) string {
	if r.Composite {
		return "composite"
	}

	return r.Upstream
}
