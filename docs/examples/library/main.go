// Command shop is the gateway of another repository: its own protos, with Portico as a library.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"

	"example.com/shop/composite/all"
	"example.com/shop/gen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	// These must not end it without a drain.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)

	err := run(ctx)

	stop()

	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	cfg, err := config.Load("gateway.yaml", os.Environ())
	if err != nil {
		return err
	}

	gw, err := bff.New(ctx, cfg, options()...)
	if err != nil {
		return err
	}

	return gw.Run(ctx)
}

// options are what the gateway serves.
func options() []bff.Option {
	return append(all.Composites(), bff.WithServices(gen.Services()...))
}
