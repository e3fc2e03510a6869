package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

func routesCommand() *cobra.Command {
	var path string

	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Print every route with its RPC and policy",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(path, os.Environ())
			if err != nil {
				return fmt.Errorf("configuration:\n%w", err)
			}

			routes, err := bff.Routes(cfg, services()...)
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
	cmd.Flags().StringVar(&path, "config", "", "for defaults that the schema leaves to it: "+configUsage)

	return cmd
}
