package bff

import (
	"context"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/systemd"
)

// stopMargin is how much longer than the drain the end of a process may take: operators are served to the end, and the connections
// to backends are closed.
const stopMargin = 10 * time.Second

// WithSystemd tells systemd (Type=notify) what Run does: that it listens, reloads, and stops, with the configuration in use as its
// status. If the unit has WatchdogSec=, it also tells that the listener for clients responds. It has no effect if the process was
// started by something else.
//
// Without it, systemd is not told. Sockets that systemd passes are used in either case, if the configuration names them.
func WithSystemd() Option {
	return func(o *options) { o.systemd = true }
}

// openManager makes what notifies the service manager. Nil: there is none.
func (c *Compiled) openManager(with opening) *systemd.Notifier {
	if !c.options.systemd {
		return nil
	}

	return systemd.New(with.logger)
}

// tellReady notifies the service manager that Run listens, and from then on that the gateway is alive, until stop is called.
func (g *Gateway) tellReady(ctx context.Context) (stop func()) {
	g.manager.Ready(g.status())

	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})

	go func() {
		defer close(ended)

		g.manager.Watch(ctx, g.alive)
	}()

	return func() {
		cancel()
		<-ended
	}
}

func (g *Gateway) tellStopping() { g.manager.Stopping("Draining", stopsWithin(g.config())) }

// stopsWithin is how long the end of the process takes at most.
func stopsWithin(c config.Config) time.Duration {
	within := c.Server.DrainDelay + c.Server.DrainTimeout + stopMargin
	if c.Tracing.On() {
		within += c.Tracing.Timeout // Of the last export.
	}

	return within
}

// status is what the service manager shows of a gateway that serves.
func (g *Gateway) status() string {
	state := g.ReloadState()
	text := "Serving with configuration " + state.Hash

	if state.Refused != nil {
		text += "; the last reload was refused, see the log"
	}

	return text
}
