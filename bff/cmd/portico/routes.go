package main

import (
	"os"

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
		compiled, err := compile(path)
		if err != nil {
			return err
		}

		routes := compiled.Routes()

		return out.write(cmd, routes, func() error { return printRoutes(cmd, routes) })
	}

	return cmd
}

func printRoutes(cmd *cobra.Command, routes []bff.Route) error {
	style, t := styleFor(cmd.OutOrStdout(), os.Getenv), newTable(cmd)

	// Every line has the same styles, so that columns stay aligned.
	line := func(method, path, rpc, upstream, policy string) {
		t.row(style.strong(method), style.strong(path), rpc, upstream, style.faint(policy))
	}
	line("METHOD", "PATH", "RPC", "UPSTREAM", "POLICY")

	for _, r := range routes {
		upstream := r.Upstream
		if r.Composite {
			upstream = "composite"
		}

		line(r.Method, r.Path, r.RPC, upstream, r.Summary)
	}

	return t.end()
}
