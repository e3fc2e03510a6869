package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

const configUsage = "YAML file; PORTICO_… environment variables override it"

func serveCommand() *cobra.Command {
	var path string

	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway in front of backends that run elsewhere",
		Long: `Run the gateway in front of backends that run elsewhere.

It keeps no state, so any number of them can run side by side. On SIGTERM readiness fails first, accepted
requests are answered, and the exit code is 0.`,
		Example: "  portico serve --config portico.yaml\n  PORTICO_SERVER_ADDRESS=:8080 portico serve --config portico.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}

			logger, flush, err := newLogger(cfg.Log)
			if err != nil {
				return err
			}

			defer flush()

			tuneMemory(logger)

			gw, err := bff.New(cmd.Context(), cfg, append(services(), bff.WithLogger(logger))...)
			if err != nil {
				return err
			}

			return gw.Run(cmd.Context())
		},
	}
	addConfig(cmd, &path, configUsage)

	return cmd
}

// newLogger returns the logger of the process, which gRPC's own messages go to as well. The caller flushes it in the end.
func newLogger(cfg config.Log) (logger *slog.Logger, flush func(), err error) {
	lines := observe.NewLines(os.Stderr)

	if logger, err = observe.NewLogger(lines, cfg.Level, cfg.Format); err != nil {
		return nil, nil, err
	}

	observe.CaptureGRPC(logger)

	return logger, lines.Flush, nil
}

func checkCommand() *cobra.Command {
	var path string

	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration against this gateway, without starting it",
		Long: `Check a configuration against this gateway, without starting it: every key and value, and that each service has
its upstream. All that is wrong is told at once, and the exit code is 1.`,
		Example: "  portico check --config portico.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Environ())
			if err != nil {
				return fmt.Errorf("configuration:\n%w", err)
			}

			gw, err := bff.New(cmd.Context(), cfg, services()...)
			if err != nil {
				return err
			}

			// Standard output is a terminal or a pipe that closed; the exit code says the same.
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "ok: %d routes, %d upstreams, %d issuers\n",
				len(gw.Routes()), len(cfg.Upstreams), len(cfg.Auth.Issuers))

			return gw.Close()
		},
	}
	addConfig(cmd, &path, configUsage)

	return cmd
}
