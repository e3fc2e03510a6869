package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

func routesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "routes",
		Short: "Print every route with its RPC and policy",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			routes, err := bff.Routes(config.Config{}, services()...)
			if err != nil {
				return err
			}

			const gap = 2

			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, gap, ' ', 0)
			_, _ = fmt.Fprintln(table, "METHOD\tPATH\tRPC\tPOLICY")

			for _, r := range routes {
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Method, r.Path, r.RPC, r.Policy)
			}

			if err := table.Flush(); err != nil {
				return fmt.Errorf("print: %w", err)
			}

			return nil
		},
	}
}
