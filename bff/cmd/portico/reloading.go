package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

// watchInterval is how often the configuration file is looked at. Its content must be the same for as long before it is used.
const watchInterval = time.Second

// reloading is how a process that serves gets another configuration: on a hangup, and when the content of the file changes.
type reloading struct {
	path string
	// environ is the environment of the start: a process cannot get another one.
	environ []string
	watch   bool
	hangups <-chan os.Signal
}

// read reads the configuration. The gateway checks it.
func (r reloading) read() (config.Config, error) { return config.Read(r.path, r.environ) }

// options let operators reload by the admin listener as well, and apply what is the process's own.
func (r reloading) options(log *observe.Log) []bff.Option {
	return []bff.Option{bff.WithConfigSource(r.read), bff.WithReloaded(func(c config.Config) {
		// It was checked.
		_ = log.SetLevel(c.Log.Level)
	})}
}

// start begins to reload the gateway, until stop is called.
func (r reloading) start(ctx context.Context, gw *bff.Gateway, log *observe.Log) (stop func()) {
	// It goes on while the gateway drains, so that a hangup does not end the process.
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))

	var running sync.WaitGroup

	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.hangups:
				_ = gw.ReloadFromSource(ctx, "SIGHUP") // It is logged.
			}
		}
	})

	if r.watch && r.path != "" {
		running.Go(func() { r.watchFile(ctx, gw, log) })
	}

	return func() {
		end()
		running.Wait()
	}
}

// watchFile reloads when the file has changed since the configuration was read, by its content: a symbolic link that is replaced is
// a change of what is behind it. A file that cannot be read any more is refused like one with faults.
func (r reloading) watchFile(ctx context.Context, gw *bff.Gateway, log *observe.Log) {
	watcher, err := filewatch.Open(func([][]byte) error { return nil }, r.path)
	if err != nil {
		log.Warn("the configuration file is not watched", "error", err)
		return
	}

	watcher.Run(ctx, filewatch.Config{
		Setting: "--config", Interval: watchInterval,
		// The gateway logs what becomes of a reload.
		Logger: slog.New(slog.DiscardHandler),
		// It knows what it reads, and does nothing if that is in use already.
		Observer: fileObserver(func() { _ = gw.ReloadIfChanged(ctx, "file") }),
	})
}

// fileObserver is called for each change of a file.
type fileObserver func()

// ObserveFile implements filewatch.Observer.
func (f fileObserver) ObserveFile(string, filewatch.State) { f() }
