// Command portico is the gateway: `portico dev` runs it with everything that belongs to it in one process, `portico serve` runs it
// in front of backends that run elsewhere, and the other commands answer questions about it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)

	var begun bool

	root := rootCommand()
	watch(root, &begun)

	cmd, err := root.ExecuteContextC(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, complain(cmd, err, begun))
	}

	return exitCode(err, begun)
}
