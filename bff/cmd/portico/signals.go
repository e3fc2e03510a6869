package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
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

// ignoreSignals keeps a process that serves from ending by signals that do not ask it to drain, until it ends. SIGPIPE is the write
// to a standard output or standard error that has been closed: the write fails, and that is all. SIGHUP, which asks other
// servers for a reload, is told on the returned channel.
func ignoreSignals() (hangups <-chan os.Signal) {
	signal.Ignore(syscall.SIGPIPE)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)

	return signals
}

// watchHangups calls the function at each hangup, until it is stopped.
func watchHangups(hangups <-chan os.Signal, hungUp func()) (stop func()) {
	var running sync.WaitGroup

	quit := make(chan struct{})

	running.Go(func() {
		for {
			select {
			case <-hangups:
				hungUp()
			case <-quit:
				return
			}
		}
	})

	return func() {
		close(quit)
		running.Wait()
	}
}

func warnOfHangup(logger *slog.Logger) {
	logger.Warn("SIGHUP is ignored: the configuration is not reloaded, a restart applies it")
}
