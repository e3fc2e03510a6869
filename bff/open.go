package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/auth/identity"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/edge/listen"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/limit/delay"
	"github.com/portico-gateway/portico/bff/internal/limit/inflight"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/resource"
	"github.com/portico-gateway/portico/bff/internal/testhook"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// opening is what the generations of a gateway are opened with. But for shared, it is the same for all of them.
type opening struct {
	logger *slog.Logger
	// log is the log that the configuration describes. Nil: the program has one.
	log     *observe.Log
	metrics *observe.Metrics
	life    *lifetime
	// cpu is the gate before the CPU of this process.
	cpu *delay.Gate
	// overload counts what is in flight, and connections and responses watch the clients of this process.
	overload    *inflight.Gate
	connections *connection.Guard
	responses   *connection.Responses
	// headers logs connections without a PROXY header that should have one.
	headers *listen.Refusals
	// keys is about the keys of issuers.
	keys *keyGrace
	// resources are what generations share, and shared is what the one holds that is opened.
	resources *resource.Set
	shared    *resource.Lease
	// tracer begins the traces of requests. Nil: there are none.
	tracer *tracing.Tracer
	// batchQuiet is for tests; see testhook.
	batchQuiet time.Duration
}

// Open makes a gateway. It reads the files that the configuration names and dials nothing: backends may start later. The error
// names every fault of the configuration, or what cannot be opened. The context is for opening alone: background work, such as
// fetching keys, continues until Close. The caller closes the gateway.
//
// Open may be called more than once, and each gateway is closed on its own. What the options hold is then used by all of them.
func (c *Compiled) Open(ctx context.Context) (_ *Gateway, err error) {
	if err := c.validate(); err != nil {
		return nil, err
	}

	ctx, life := newLifetime(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, life.end())
		}
	}()

	with, err := c.openLog(ctx, life)
	if err != nil {
		return nil, err
	}
	with.batchQuiet = testhook.From(ctx).BatchQuiet
	with.resources, with.keys = resource.NewSet(), &keyGrace{began: time.Now()}
	with.cpu = c.openCPU(ctx, with)
	c.openOverload(&with)

	g := &Gateway{with: with, given: c.given, manager: c.openManager(with)}
	g.handler = testhook.From(ctx).Handler(http.HandlerFunc(g.serve))
	g.reloads.open(with.metrics.Reloads(g.generations.count), c.config)
	life.atEnd(g.endGenerations)

	first, err := g.open(ctx, c)
	if err != nil {
		return nil, err
	}
	g.enter(first)

	if g.admin, err = g.openAdmin(); err != nil {
		return nil, err
	}
	g.health = admin.Health(g.readiness)

	c.warnOfLegs(ctx, first.backends, with.logger)

	return g, nil
}

// open opens a generation that is not used yet. With an error, nothing is left open.
func (g *Gateway) open(ctx context.Context, c *Compiled) (_ *generation, err error) {
	with := g.with
	with.shared = with.resources.Lease()

	defer func() {
		if err != nil {
			err = errors.Join(err, with.shared.Release())
		}
	}()

	gen := newGeneration(c, with.shared, g.end)
	c.showSettings(with)
	certificates, err := c.openTLS(ctx, with)
	if err != nil {
		return nil, err
	}
	if gen.stores, err = c.openStores(ctx, with, gen.hold); err != nil {
		return nil, err
	}
	if gen.backends, err = c.openBackends(ctx, with, gen.stores, certificates.upstreams); err != nil {
		return nil, err
	}
	callers, err := c.openAuth(ctx, with, gen.stores)
	if err != nil {
		return nil, err
	}
	if gen.credential, err = c.openCredential(ctx, with); err != nil {
		return nil, err
	}

	routing := c.serving(ctx, gen.stores, with.overload.With(c.config.Overload))
	router, err := gateway.New(ctx, c.routes, c.options.registrations(gen.backends), routing)
	if err != nil {
		return nil, err
	}
	gen.handler, err = c.wrap(router, callers.sessions, edge.Deps{
		Logger: with.logger, Metrics: watched{with.metrics, &g.recent}, Tracer: with.tracer,
		Identify: callers.identify, Forward: c.headers.Collect,
		Overload: with.cpu.Handler(router.Priority), CountRefusal: with.cpu.CountRefusal,
		Connections: with.connections.Handler, CloseAfter: with.connections.CloseAfter, Responses: with.responses.Handler,
		Certificate: certificates.clients.Handler, ClientLimit: gen.stores.limiter.PerClient(c.config.Limits.Client),
	})
	if err != nil {
		return nil, err
	}

	gen.listener, gen.awaitingKeys, gen.sessions = certificates.listener, callers.awaitingKeys, callers.sessions
	gen.proxied = c.proxied(with)

	return gen, nil
}

// openLog opens the log that the configuration describes, unless there is a logger already, the metrics, and the export of spans.
func (c *Compiled) openLog(ctx context.Context, life *lifetime) (with opening, err error) {
	with = opening{logger: c.options.logger, metrics: observe.NewMetrics(c.config.Metrics), life: life}
	dropped := c.options.droppedLines

	if with.logger == nil {
		log, err := observe.OpenLog(os.Stderr, c.config.Log)
		if err != nil {
			return opening{}, err
		}

		life.atEnd(closer(log.Close))

		with.logger, with.log, dropped = log.Logger, log, log.Dropped
	}

	if dropped != nil {
		with.metrics.WatchLog(dropped)
	}

	with.tracer, err = c.openTracing(ctx, with)

	return with, err
}

// callers is how a gateway finds out who calls.
type callers struct {
	// identify is a layer of the edge. Nil: authentication is disabled.
	identify func(http.Handler) http.Handler
	// awaitingKeys lists the issuers whose keys were never had. Nil: there are none.
	awaitingKeys func() []string
	// sessions are those of browsers. Nil: there are none.
	sessions *session.Sessions
}

func (c *Compiled) openAuth(ctx context.Context, with opening, kept *stores) (callers, error) {
	if c.config.Auth.Disabled {
		return callers{}, nil
	}

	// With any other credentials it is another one, so that nothing is left of what is not accepted any more. Keys stay.
	authenticator, err := resource.Take(with.shared, "authenticator", resource.Key(c.config.Auth, c.config.Server.RequestTimeout),
		func(own *resource.Lease) (*auth.Authenticator, error) {
			cfg := c.config.Auth
			cfg.KeysGrace = with.keys.left(cfg.KeysGrace)

			return auth.New(ctx, cfg, auth.Deps{
				Logger: with.logger, Files: with.metrics, Shared: own,
				Custom: c.options.authenticator.custom(c.config.Server.RequestTimeout),
			})
		})
	if err != nil {
		return callers{}, fmt.Errorf("auth: %w", err)
	}

	show(with.shared, func() func() { return with.metrics.WatchIssuers(authenticator.KeysFetched) })

	sessions, err := c.openSessions(ctx, with, kept.sessions, authenticator)
	if err != nil {
		return callers{}, err
	}

	return callers{
		identify: authenticator.Identify(sessions), awaitingKeys: authenticator.AwaitingKeys, sessions: sessions,
	}, nil
}

// openCPU makes what refuses requests while the CPU is overloaded.
func (c *Compiled) openCPU(ctx context.Context, with opening) *delay.Gate {
	gate := delay.New(c.config.Overload.TargetDelay, delay.Deps{Logger: with.logger})

	with.life.untilEnd(ctx, gate.Run)
	with.metrics.WatchDelay(gate.Current, gate.Refused)

	return gate
}

// openOverload makes what refuses and ends what is too much.
func (c *Compiled) openOverload(with *opening) {
	with.overload = inflight.New(c.config.Overload)
	with.connections = connection.New(c.config.Server, with.life.over)
	with.responses = connection.NewResponses(c.config.Overload.MaxBufferedResponseBytes)
	with.headers = listen.NewRefusals(with.logger)

	with.metrics.Watch(with.overload.InFlight, with.connections.Open)
	with.metrics.WatchRefused(with.overload.Refused)
	with.metrics.WatchResponses(with.responses.Buffered, with.responses.CutOff)
}

// serving is how routes are guarded and translated in a gateway whose background work ends with ctx.
func (c *Compiled) serving(ctx context.Context, stores *stores, gate *inflight.Gate) gateway.Config {
	routing := c.routing
	routing.Limiter, routing.Cache, routing.Idempotency = stores.limiter, stores.cache, stores.idempotency
	routing.Overload, routing.Draining = gate, ctx

	return routing
}

// wrap puts the edge around the routes, and the pages before them.
func (c *Compiled) wrap(router *gateway.Gateway, sessions *session.Sessions, layers edge.Deps) (http.Handler, error) {
	served, err := c.servePages(router, sessions)
	if err != nil {
		return nil, err
	}

	var faults optionFaults

	layers.Middleware = wrapped("WithMiddleware", c.options.middleware, &faults)
	layers.Problems = c.options.problems(c.config, layers.Logger)

	layers.Methods = func(path string) []string { return slices.Concat(served.Methods(path), router.Methods(path)) }
	layers.FurtherMethods = router.AllMethods()

	for _, p := range c.options.pages {
		layers.FurtherMethods = append(layers.FurtherMethods, p.Methods...)
	}

	handler := edge.Wrap(c.config, layers, served)

	return handler, faults.join()
}

// openAdmin returns what operators get, and registers the metrics where the program wants them.
func (g *Gateway) openAdmin() (http.Handler, error) {
	options := g.current().compiled.options

	g.openConsole()

	deps := admin.Deps{
		Guard: g.guard, Console: g.console,
		Checks:    g.readiness,
		Metrics:   g.with.metrics.Handler(),
		Upstreams: func() any { return g.current().backends.pool.Statuses() },
		Mounts: map[string]http.Handler{
			identity.Path: http.HandlerFunc(g.serveKeys), reloadPath: g.guardedReload(),
			configurationPath: http.HandlerFunc(g.serveConfiguration), revokePath: g.guardedRevoke(),
		},
	}
	if level := observe.LevelOf(g.with.logger); level != nil {
		deps.LogLevel = level
	}

	handler := admin.New(deps)

	var faults optionFaults

	if wrap := wrapped("WithAdminMiddleware", options.adminMiddleware, &faults); wrap != nil {
		handler = wrap(handler)
	}

	if err := faults.join(); err != nil {
		return nil, err
	}

	return handler, options.exportMetrics(g.with)
}

// serveKeys serves the keys by which backends verify the gateway's tokens, if it signs any.
func (g *Gateway) serveKeys(w http.ResponseWriter, r *http.Request) {
	if keys := g.current().backends.keys; keys != nil {
		keys.ServeHTTP(w, r)
	} else {
		http.NotFound(w, r)
	}
}
