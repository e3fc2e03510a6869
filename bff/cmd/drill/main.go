// Command drill measures how the gateway serves requests while things break: it runs two gateways, three backends of each service
// and a Redis as processes, sends a constant mix of requests, injects one fault after the other and counts.
//
// It prints a table and whether each criterion is met; the exit code is 1 if one is not. It needs the go command, which builds what
// it runs, and redis-server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)

	stop()

	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(1)
	}
}
