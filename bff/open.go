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
	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/limit/delay"
	"github.com/portico-gateway/portico/bff/internal/limit/inflight"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/testhook"
)

// opening is what the parts of a gateway are opened with.
type opening struct {
	logger  *slog.Logger
	metrics *observe.Metrics
	life    *lifetime
	// cpu is the gate before the CPU of this process.
	cpu *delay.Gate
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

	with, err := c.openLog(life)
	if err != nil {
		return nil, err
	}
	with.batchQuiet = testhook.From(ctx).BatchQuiet
	with.cpu = c.openCPU(ctx, with)
	certificates, err := c.openTLS(ctx, with)
	if err != nil {
		return nil, err
	}
	stores, err := c.openStores(with)
	if err != nil {
		return nil, err
	}
	backends, err := c.openBackends(with, stores, certificates.upstreams)
	if err != nil {
		return nil, err
	}
	callers, err := c.openAuth(ctx, with)
	if err != nil {
		return nil, err
	}

	gate, connections, responses := c.openOverload(with)
	routing := c.serving(ctx, stores, gate)
	router, err := gateway.New(ctx, c.routes, c.options.registrations(backends), routing)
	if err != nil {
		return nil, err
	}
	handler, err := c.wrap(router, edge.Deps{
		Logger: with.logger, Metrics: with.metrics, Identify: callers.identify, Forward: c.headers.Collect,
		Overload: with.cpu.Handler(router.Priority), CountRefusal: with.cpu.CountRefusal,
		Connections: connections.Handler, CloseAfter: connections.CloseAfter, Responses: responses.Handler,
		Certificate: certificates.clients.Handler, ClientLimit: stores.limiter.PerClient(c.config.Limits.Client),
	})
	if err != nil {
		return nil, err
	}
	operators, err := c.openAdmin(with, backends, callers.awaitingKeys)
	if err != nil {
		return nil, err
	}

	c.warnOfLegs(ctx, backends, with.logger)

	return &Gateway{
		compiled: c, life: life, logger: with.logger, handler: testhook.From(ctx).Handler(handler), admin: operators,
		connections: connections, tls: certificates.listener, clients: certificates.clients,
	}, nil
}

// openLog opens the log that the configuration describes, unless there is a logger already, and the metrics.
func (c *Compiled) openLog(life *lifetime) (opening, error) {
	with := opening{logger: c.options.logger, metrics: observe.NewMetrics(), life: life}
	dropped := c.options.droppedLines

	if with.logger == nil {
		log, err := observe.OpenLog(os.Stderr, c.config.Log)
		if err != nil {
			return opening{}, err
		}

		life.atEnd(closer(log.Close))

		with.logger, dropped = log.Logger, log.Dropped
	}

	if dropped != nil {
		with.metrics.WatchLog(dropped)
	}

	return with, nil
}

// callers is how a gateway finds out who calls.
type callers struct {
	// identify is a layer of the edge. Nil: authentication is disabled.
	identify func(http.Handler) http.Handler
	// awaitingKeys lists the issuers whose keys were never had. Nil: there are none.
	awaitingKeys func() []string
}

func (c *Compiled) openAuth(ctx context.Context, with opening) (callers, error) {
	if c.config.Auth.Disabled {
		return callers{}, nil
	}

	authenticator, err := auth.New(ctx, c.config.Auth, auth.Deps{
		Logger: with.logger, Files: with.metrics, Custom: c.options.authenticator.custom(c.config.Server.RequestTimeout),
	})
	if err != nil {
		return callers{}, fmt.Errorf("auth: %w", err)
	}

	with.life.running.Go(authenticator.Wait)

	return callers{identify: authenticator.Identify, awaitingKeys: authenticator.AwaitingKeys}, nil
}

// openCPU makes what refuses requests while the CPU is overloaded.
func (c *Compiled) openCPU(ctx context.Context, with opening) *delay.Gate {
	gate := delay.New(c.config.Overload.TargetDelay, delay.Deps{Logger: with.logger})

	with.life.untilEnd(ctx, gate.Run)
	with.metrics.WatchDelay(gate.Current, gate.Refused)

	return gate
}

// openOverload makes what refuses and ends what is too much.
func (c *Compiled) openOverload(with opening) (*inflight.Gate, *connection.Guard, *connection.Responses) {
	gate := inflight.New(c.config.Overload)
	connections := connection.New(c.config.Server, with.life.over)
	responses := connection.NewResponses(c.config.Overload.MaxBufferedResponseBytes)

	with.metrics.Watch(gate.InFlight, connections.Open)
	with.metrics.WatchRefused(gate.Refused)
	with.metrics.WatchResponses(responses.Buffered, responses.CutOff)

	return gate, connections, responses
}

// serving is how routes are guarded and translated in a gateway whose background work ends with ctx.
func (c *Compiled) serving(ctx context.Context, stores *stores, gate *inflight.Gate) gateway.Config {
	routing := c.routing
	routing.Limiter, routing.Cache, routing.Idempotency = stores.limiter, stores.cache, stores.idempotency
	routing.Overload, routing.Draining = gate, ctx

	return routing
}

// wrap puts the edge around the routes, and the pages before them.
func (c *Compiled) wrap(router *gateway.Gateway, layers edge.Deps) (http.Handler, error) {
	served, err := c.servePages(router)
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
func (c *Compiled) openAdmin(with opening, backends backends, awaitingKeys func() []string) (http.Handler, error) {
	deps := admin.Deps{
		Ready:     func() bool { return !with.life.over() },
		Waiting:   func() []string { return waiting(awaitingKeys) },
		Metrics:   with.metrics.Handler(),
		Upstreams: func() any { return backends.pool.Statuses() },
	}
	if backends.keys != nil {
		deps.Mounts = map[string]http.Handler{identity.Path: backends.keys}
	}

	handler := admin.New(deps)

	var faults optionFaults

	if wrap := wrapped("WithAdminMiddleware", c.options.adminMiddleware, &faults); wrap != nil {
		handler = wrap(handler)
	}

	if err := faults.join(); err != nil {
		return nil, err
	}

	return handler, c.options.exportMetrics(with)
}

// waiting lists what has to be there before clients are sent here.
func waiting(awaitingKeys func() []string) []string {
	if awaitingKeys == nil {
		return nil
	}

	names := awaitingKeys()
	for i, name := range names {
		names[i] = "the keys of the issuer " + name
	}

	return names
}
