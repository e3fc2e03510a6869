// Command drill shows what becomes of requests when things break: it runs two gateways, three backends of each service and a Redis
// as processes of their own, sends a steady mix of requests, breaks one thing after the other and counts.
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

	if errors.Is(err, flag.ErrHelp) {
		return
	}

	if err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(1)
	}
}
