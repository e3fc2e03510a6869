package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/portico-gateway/portico/backends"
)

// run serves until ctx ends. It prints where it listens to stdout and logs to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parse(args, stderr)
	if err != nil {
		return err
	}

	fleet, err := backends.Start(ctx, backends.Options{
		DataDir:   f.dataDir,
		Instances: f.instances(),
		Upstreams: f.upstreams,
		Seed:      f.seed,
		Logger:    logger(f, stderr),
	})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}

	for _, i := range fleet.Instances() {
		if _, err := fmt.Fprintf(stdout, "%-16s %s\n", i.Name, i.Address); err != nil {
			return errors.Join(fmt.Errorf("print addresses: %w", err), fleet.Close())
		}
	}

	<-ctx.Done()

	if err := fleet.Close(); err != nil {
		return fmt.Errorf("stop: %w", err)
	}

	return nil
}

func logger(f flags, stderr io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.logLevel}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(stderr, options))
	}

	return slog.New(slog.NewTextHandler(stderr, options))
}
