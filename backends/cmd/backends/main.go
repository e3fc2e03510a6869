// Command backends runs the services behind the gateway, all of them or some, until it is told to stop.
//
// It is not the gateway, which is the command portico, and listens for nobody else: it asks no caller for proof of who it is.
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

// exitSignaled and the number of a signal are the exit code of a process that it ended, as shells have it.
const exitSignaled = 128

func main() {
	err := run(untilSignaled(), os.Args[1:], os.Stdout, os.Stderr)

	if errors.Is(err, flag.ErrHelp) {
		return
	}

	if err != nil {
		fmt.Fprintln(os.Stderr, "backends:", err)
		os.Exit(1)
	}
}

// untilSignaled returns a context that ends at the first SIGINT or SIGTERM. The second one ends the process at once. SIGHUP, and
// the SIGPIPE of an output that nobody reads any more, do not end it.
func untilSignaled() context.Context {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)

	ctx, cancel := context.WithCancel(context.Background())

	signals := make(chan os.Signal, 2) //nolint:mnd // Those two.
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)

	// It lasts as long as the process.
	go func() {
		<-signals
		cancel()

		code := 1
		if number, ok := (<-signals).(syscall.Signal); ok {
			code = exitSignaled + int(number)
		}

		os.Exit(code)
	}()

	return ctx
}
