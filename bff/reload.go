package bff

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

// WithConfigSource says where the configuration comes from, for ReloadFromSource and for POST /reload on the admin listener. read
// is called by one goroutine at a time. With an error it may return what could be read, as config.Read does, so that the faults of
// that are named as well. A later one replaces it.
//
// Without it, Reload alone changes the configuration.
func WithConfigSource(read func() (config.Config, error)) Option {
	return func(o *options) {
		o.faults.need("WithConfigSource", "the function", read)
		o.source = read
	}
}

// WithReloaded calls a function with each configuration that a reload has put in place, with its defaults, for what is the
// program's own. The function must not reload. A later one replaces it.
//
// Without it, nobody is told; ReloadState has what became of the last reload.
func WithReloaded(reloaded func(config.Config)) Option {
	return func(o *options) {
		o.faults.need("WithReloaded", "the function", reloaded)
		o.reloaded = reloaded
	}
}

// Why a gateway is not reloaded.
var (
	errStopping = errors.New("the gateway is stopping")
	errNoSource = errors.New("this gateway cannot read its configuration again: it has no source of it (WithConfigSource)")
	errFixed    = errors.New("cannot change while the gateway runs: restart it")
)

// ReloadState is what became of configurations so far.
type ReloadState struct {
	// Hash identifies the configuration in use, and Loaded is since when it is.
	Hash   string
	Loaded time.Time
	// Refused is why the last reload was refused; nil: it was not, or there was none.
	Refused error
	// Attempted is when the last reload was, and Trigger what caused it. Zero and empty: there was none.
	Attempted time.Time
	Trigger   string
	// Changed are the settings that differ from the configuration before, as of config.Changes.
	Changed []string
}

// Reload puts another configuration in place of the current one, with the same options. Requests that have begun, and open streams,
// go on with the one that they began with; when it returns without an error, further requests get the new one. What did not change
// is taken over: see docs/reload.md, which says what survives and what cannot change.
//
// The error names every fault, of a setting that cannot change as a *config.Fault. Then nothing has changed. Reloads wait for one
// another. The context is for the reload alone. The configuration must not be changed afterwards.
func (g *Gateway) Reload(ctx context.Context, cfg config.Config) error {
	return g.reload(ctx, reloading{trigger: "program", read: func() (config.Config, error) { return cfg, nil }})
}

// ReloadFromSource is Reload with what the function of WithConfigSource returns, which is refused if it returns an error. The log
// says what triggered it.
func (g *Gateway) ReloadFromSource(ctx context.Context, trigger string) error {
	return g.reloadFromSource(ctx, trigger, false)
}

// ReloadIfChanged is ReloadFromSource, but does nothing if the configuration is the one in use and none was refused since it is.
func (g *Gateway) ReloadIfChanged(ctx context.Context, trigger string) error {
	return g.reloadFromSource(ctx, trigger, true)
}

func (g *Gateway) reloadFromSource(ctx context.Context, trigger string, ifChanged bool) error {
	source := g.current().compiled.options.source
	if source == nil {
		return errNoSource
	}

	return g.reload(ctx, reloading{trigger: trigger, read: source, ifChanged: ifChanged})
}

// ReloadState returns what became of the last reload. It is safe for concurrent use.
func (g *Gateway) ReloadState() ReloadState { return *g.reloads.state.Load() }

// reloads are those of a gateway.
type reloads struct {
	// one is held during a reload.
	one     sync.Mutex
	state   atomic.Pointer[ReloadState]
	metrics *observe.Reloads
}

// open begins with the first configuration.
func (r *reloads) open(metrics *observe.Reloads, first config.Config) {
	r.metrics = metrics
	r.state.Store(&ReloadState{Hash: first.Hash(), Loaded: time.Now()})
}

// reloading is one reload.
type reloading struct {
	trigger string
	read    func() (config.Config, error)
	// ifChanged does nothing if the configuration is in use already.
	ifChanged bool
}

func (g *Gateway) reload(ctx context.Context, r reloading) error {
	g.reloads.one.Lock()
	defer g.reloads.one.Unlock()

	before := g.config()
	state := *g.reloads.state.Load()

	cfg, err := r.read()
	if err == nil && r.ifChanged && state.Refused == nil && cfg.Hash() == state.Hash {
		return nil
	}

	state.Attempted, state.Trigger, state.Refused = time.Now(), r.trigger, nil

	reloaded := g.manager.Reloading()
	defer func() { reloaded(g.status()) }()

	if refused := err; refused != nil {
		err = g.allFaults(ctx, cfg, refused, nil)
	} else if refused = g.apply(ctx, cfg); refused != nil {
		err = g.allFaults(ctx, cfg, nil, refused)
	}

	if err != nil {
		state.Refused = err
		g.reloads.state.Store(&state)
		g.reloads.metrics.Refused()
		g.with.logger.LogAttrs(ctx, slog.LevelError, "configuration refused; the one before stays in use",
			slog.String("trigger", r.trigger), slog.String("hash", state.Hash), slog.Any("error", err))

		return err
	}

	previous, after := state.Hash, g.config()
	state.Hash, state.Loaded, state.Changed = after.Hash(), state.Attempted, config.Changes(before, after)
	g.reloads.state.Store(&state)
	g.reloads.metrics.Accepted()

	if told := g.current().compiled.options.reloaded; told != nil {
		told(after)
	}

	g.with.logger.LogAttrs(ctx, slog.LevelInfo, "configuration reloaded", slog.String("trigger", r.trigger),
		slog.String("hash", state.Hash), slog.String("previous_hash", previous), slog.Any("changed", state.Changed))

	return nil
}
