package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// exitSignaled and the number of a signal are the exit code of a process that it ended, as shells have it.
const exitSignaled = 128

// untilSignaled returns a context that ends at the first SIGINT or SIGTERM. The second one ends the process at once.
func untilSignaled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)

	// It lasts as long as the process.
	go func() {
		<-signals
		cancel()

		code := exitFailed
		if number, ok := (<-signals).(syscall.Signal); ok {
			code = exitSignaled + int(number)
		}

		os.Exit(code)
	}()

	return ctx
}

// ignoreSignals keeps signals that do not ask for a drain from ending the process. SIGPIPE is a write to a standard output or
// standard error that has been closed: only the write fails. SIGHUP, which asks other servers for a reload, is sent to the channel.
func ignoreSignals() (hangups <-chan os.Signal) {
	signal.Ignore(syscall.SIGPIPE)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)

	return signals
}
