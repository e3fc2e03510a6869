package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"

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
	reload := reloading{environ: os.Environ()}

	cmd := &cobra.Command{
		Use:   serveName,
		Short: "Run the gateway in front of backends that run elsewhere",
		Long: `Run the gateway in front of backends that run elsewhere.

It has no state, so any number of them can run side by side. On SIGTERM or SIGINT readiness fails first, accepted
requests are answered, and the exit code is 0; a second one ends it at once.

On SIGHUP, POST /reload on the admin listener, and when the content of the file changes, the configuration is read
again. One with faults is refused, and the one before stays in use. The environment is that of the start.`,
		Example: "  portico serve --config portico.yaml\n  PORTICO_SERVER_ADDRESS=:8080 portico serve --config portico.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			reload.hangups = ignoreSignals()

			cfg, err := readConfig(reload.path, config.Load)
			if err != nil {
				return refused(cmd.Context(), reload.path, err)
			}

			return serving{log: cfg.Log}.run(cmd.Context(), func(ctx context.Context, log *observe.Log) error {
				options := slices.Concat(services(), loggingTo(log), reload.options(log),
					[]bff.Option{bff.WithStartAttrs(slog.String("config", reload.path)), bff.WithSystemd()})

				gw, err := bff.New(ctx, cfg, options...)
				if err != nil {
					return refused(ctx, reload.path, configError{error: err})
				}

				defer reload.start(ctx, gw, log)()

				return gw.Run(ctx)
			})
		},
	}
	addConfig(cmd, &reload.path, configUsage)
	cmd.Flags().BoolVar(&reload.watch, "watch", true, "read the file again when its content changes")

	return cmd
}

// serving is what the commands that serve have in common: log, signals and memory.
type serving struct {
	log config.Log
	// hangups are those that are handled here. Nil: none are.
	hangups <-chan os.Signal
	// endOnHangup makes a hangup end the process. Otherwise it is only logged.
	endOnHangup bool
}

// run calls serve with a context that ends with ctx, or earlier on a hangup.
func (s serving) run(ctx context.Context, serve func(ctx context.Context, log *observe.Log) error) error {
	log, err := openLog(s.log)
	if err != nil {
		return err
	}
	defer log.Close()

	tuneMemory(log.Logger)

	ctx, stop := context.WithCancel(ctx)
	defer stop()

	// They run until the drain is over.
	background, end := context.WithCancel(context.WithoutCancel(ctx))

	var running sync.WaitGroup
	defer running.Wait()
	defer end()

	running.Go(func() { returnMemory(background) })
	running.Go(func() {
		for {
			select {
			case <-background.Done():
				return
			case <-s.hangups:
			}

			if s.endOnHangup {
				stop()
			} else {
				log.Warn("SIGHUP is ignored: the configuration is not reloaded, a restart applies it")
			}
		}
	})

	return serve(ctx, log)
}

// openLog returns the log of a process that serves, which gRPC and the standard loggers write to as well. The caller closes it.
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

// serves reports whether a command runs until it is stopped.
func serves(cmd *cobra.Command) bool { return cmd.Name() == serveName || cmd.Name() == devName }
