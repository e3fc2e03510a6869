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

// The commands that serve.
const (
	serveName = "serve"
	devName   = "dev"
)

const configUsage = "YAML file; PORTICO_… environment variables override it"

func serveCommand() *cobra.Command {
	var path string

	cmd := &cobra.Command{
		Use:   serveName,
		Short: "Run the gateway in front of backends that run elsewhere",
		Long: `Run the gateway in front of backends that run elsewhere.

It keeps no state, so any number of them can run side by side. On SIGTERM or SIGINT readiness fails first, accepted
requests are answered, and the exit code is 0; a second one ends it at once. SIGHUP is ignored.`,
		Example: "  portico serve --config portico.yaml\n  PORTICO_SERVER_ADDRESS=:8080 portico serve --config portico.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hangups := ignoreSignals()

			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}

			log, err := openLog(cfg.Log)
			if err != nil {
				return err
			}
			defer log.Close()

			defer watchHangups(hangups, func() { warnOfHangup(log.Logger) })()

			tuneMemory(log.Logger)

			defer startReturningMemory(cmd.Context())()

			gw, err := bff.New(cmd.Context(), cfg, append(services(), loggingTo(log)...)...)
			if err != nil {
				return configError{error: err}
			}

			return gw.Run(cmd.Context())
		},
	}
	addConfig(cmd, &path, configUsage)

	return cmd
}

// openLog returns the log of a process that serves. What gRPC, and libraries that use the standard loggers, have to say goes there
// as well. The caller closes it in the end.
func openLog(cfg config.Log) (*observe.Log, error) {
	log, err := observe.OpenLog(os.Stderr, cfg)
	if err != nil {
		return nil, err
	}

	observe.CaptureGRPC(log.Logger)
	slog.SetDefault(log.Logger)

	return log, nil
}

func loggingTo(log *observe.Log) []bff.Option {
	return []bff.Option{bff.WithLogger(log.Logger), bff.WithDroppedLogLines(log.Dropped)}
}

// serves reports whether a command runs until it is told to stop.
func serves(cmd *cobra.Command) bool { return cmd.Name() == serveName || cmd.Name() == devName }

func checkCommand() *cobra.Command {
	var path string

	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration against this gateway, without starting it",
		Long: `Check a configuration against this gateway, without starting it: every key and value, and that each service has
its upstream. All that is wrong is told at once, and the exit code is 1.`,
		Example: "  portico check --config portico.yaml",
		Args:    noArgs,
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
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "ok: %s, %s, %s\n", plural(len(gw.Routes()), "route"),
				plural(len(cfg.Upstreams), "upstream"), plural(len(cfg.Auth.Issuers), "issuer"))

			return gw.Close()
		},
	}
	addConfig(cmd, &path, configUsage)

	return cmd
}
