// Command embed is Portico embedded in a program with many further routes: embed CONFIG COUNT. The configuration is that of the
// command portico.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite/all"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/gen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if err := run(ctx, os.Args[1:]); err != nil {
		slog.Error("embed", "error", err)
		os.Exit(1) //nolint:gocritic // What is deferred has no effect any more.
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: embed CONFIG COUNT, not %q", args)
	}

	cfg, err := config.Load(args[0], nil)
	if err != nil {
		return err
	}

	count, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("count of routes: %w", err)
	}

	services, err := declare(count)
	if err != nil {
		return err
	}

	options := append(all.Composites(), bff.WithServices(gen.Services()...))
	for _, s := range services {
		options = append(options, bff.WithHandlers("user", s.register, s.name))
	}

	gw, err := bff.New(ctx, cfg, options...)
	if err != nil {
		return err
	}

	return gw.Run(ctx)
}
