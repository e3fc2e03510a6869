package bff

import (
	"context"
	"errors"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
)

// apply makes a configuration the current one.
func (g *Gateway) apply(ctx context.Context, cfg config.Config) error {
	if g.with.life.over() {
		return errStopping
	}

	next, err := Compile(cfg, g.given...)
	if err != nil {
		return err
	}

	if err := errors.Join(next.validate(), fixed(g.current().compiled.config, next.config)); err != nil {
		return err
	}

	// The context of the gateway, which has no end but that of its background work.
	opened, err := g.open(g.with.life.context, next)
	if err != nil {
		return err
	}

	if err := ctx.Err(); err != nil {
		return errors.Join(err, opened.end())
	}

	before := g.config().Server

	if !g.enter(opened) {
		return errors.Join(errStopping, opened.end())
	}

	g.front.update(next.config.Server)

	// What holds for new connections alone, clients should get soon.
	if before.TLS != next.config.Server.TLS || !sameConnections(before, next.config.Server) {
		g.with.connections.Renew()
	}

	return nil
}

// enter makes a generation the current one, and applies what is the same for all. It returns false if the gateway is closed.
func (g *Gateway) enter(next *generation) bool {
	// In this order: what it shares has begun when its first request comes.
	next.shared.Commit()

	if !g.generations.replace(next) {
		return false
	}

	c := next.compiled.config
	g.with.cpu.SetTarget(c.Overload.TargetDelay)
	g.with.connections.SetLimits(c.Server)
	g.with.responses.SetLimit(c.Overload.MaxBufferedResponseBytes)

	if g.with.log != nil {
		// Validate has checked it.
		_ = g.with.log.SetLevel(c.Log.Level)
	}

	return true
}

// end closes a generation that nothing uses any more.
func (g *Gateway) end(old *generation) {
	if err := old.end(); err != nil {
		g.with.logger.Warn("a configuration that is not used any more was not closed cleanly", "error", err)
	}

	g.generations.remove(old)
}

// endGenerations closes all of them, also those that are used. There are no others afterwards.
func (g *Gateway) endGenerations() error {
	all := g.generations.list(true)

	// Fetches end before the connections that they use do.
	for _, one := range all {
		one.stores.close()
	}

	faults := make([]error, 0, len(all))
	for _, one := range all {
		faults = append(faults, one.end())
	}

	return errors.Join(faults...)
}

// fixedSettings are those that cannot change, with all below them. What server.proxy_protocol says is for new connections.
func fixedSettings() []string {
	return []string{"server.address", "admin.address", "health.address", "log.format", "metrics", "tracing"}
}

// fixed returns a fault for each setting that has changed and cannot.
func fixed(before, after config.Config) error {
	var faults []error

	for _, path := range config.Changes(before, after) {
		for _, setting := range fixedSettings() {
			if path == setting || strings.HasPrefix(path, setting+".") {
				faults = append(faults, &config.Fault{Path: path, Err: errFixed})
			}
		}
	}

	return errors.Join(faults...)
}
