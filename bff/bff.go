// Package bff is a gateway that translates REST to gRPC, as a library: New makes an http.Handler out of generated grpc-gateway
// handlers, the policies in their protos and a configuration. The portico command is written on it.
//
//	gw, err := bff.New(ctx, cfg,
//		bff.WithServices(gen.Services()...),
//		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, dashboard.New))
//	…
//	err = gw.Run(ctx)
//
// Handlers that were generated elsewhere, from protos that know nothing of Portico, are served by WithHandlers.
package bff

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/admin"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// Gateway serves REST. It is safe for concurrent use and, once it serves, immutable but for its readiness.
type Gateway struct {
	config  config.Config
	options options
	handler http.Handler
	admin   http.Handler
	pool    *upstream.Pool
	// stores are what it remembers. Nil until they are opened.
	stores *stores
	routes []Route

	draining atomic.Bool
	// connections are those of clients.
	connections *connection.Guard
	// awaitingKeys lists the issuers whose keys were never had. Nil: there are no issuers.
	awaitingKeys func() []string
	// tls is for the listener; nil: it is not encrypted.
	tls *tls.Config
	// clients checks the certificates of clients.
	clients *tlsfiles.Clients
	// stop ends what runs in the background, and open streams.
	stop context.CancelFunc
	// running is the background work.
	running sync.WaitGroup
	// release takes the metrics out of the program's registry.
	release func()
	// closeLog ends the log, if it is the gateway's own.
	closeLog func()
	// closing ends the connections, once.
	closing func() error
}

// New makes a gateway. It dials nothing: backends may start later. The error names every fault of the configuration, the routes
// and their policies. The context is for starting alone: background work (fetching keys) goes on until Close. The caller closes the
// gateway.
func New(ctx context.Context, cfg config.Config, opts ...Option) (*Gateway, error) {
	cfg = cfg.WithDefaults()

	o, err := collect(cfg, opts)
	if err != nil {
		return nil, err
	}

	if err := o.validate(cfg); err != nil {
		return nil, err
	}

	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	metrics := observe.NewMetrics()

	g := &Gateway{config: cfg, options: o, stop: stop, closeLog: func() {}, release: func() {}}
	if err := g.openLog(metrics); err != nil {
		stop()

		return nil, err
	}

	g.connections = connection.New(cfg.Server, g.draining.Load)
	g.closing = sync.OnceValue(func() error {
		var faults []error

		if g.stores != nil {
			faults = append(faults, g.stores.close())
		}

		if g.pool != nil {
			faults = append(faults, g.pool.Close())
		}

		g.release()
		g.closeLog()

		return errors.Join(faults...)
	})

	if err := g.assemble(ctx, metrics); err != nil {
		return nil, errors.Join(err, g.Close())
	}

	return g, nil
}

// openLog opens the log that the configuration describes, unless there is a logger already.
func (g *Gateway) openLog(metrics *observe.Metrics) error {
	if g.options.logger == nil {
		log, err := observe.OpenLog(os.Stderr, g.config.Log.Level, g.config.Log.Format)
		if err != nil {
			return err
		}

		g.options.logger, g.options.droppedLines, g.closeLog = log.Logger, log.Dropped, log.Close
	}

	if g.options.droppedLines != nil {
		metrics.WatchLog(g.options.droppedLines)
	}

	return nil
}

// ServeHTTP answers a client.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Admin is for operators: /livez, /readyz, /metrics, /upstreams and /debug/pprof/. It must not be reachable by clients.
func (g *Gateway) Admin() http.Handler { return g.admin }

// Routes lists the routes, the most specific first.
func (g *Gateway) Routes() []Route { return g.routes }

// Drain makes /readyz fail and ends open streams, so that load balancers and clients go elsewhere. Requests are still answered.
func (g *Gateway) Drain() {
	g.draining.Store(true)
	g.stop()
}

// Close ends the background work and the connections to the backends, and the calls on them. Further calls change nothing.
func (g *Gateway) Close() error {
	g.Drain()
	g.running.Wait()

	return g.closing()
}

// Routes lists the routes that a gateway with these options would have, the most specific first, without making one.
func Routes(cfg config.Config, opts ...Option) ([]Route, error) {
	cfg = cfg.WithDefaults()

	o, err := collect(cfg, opts)
	if err != nil {
		return nil, err
	}

	compiled, err := gateway.Compile(o.registrations(nil), o.gatewayConfig(cfg))
	if err != nil {
		return nil, err
	}

	return o.describe(compiled), nil
}

// waiting lists what has to be there before clients are sent here.
func (g *Gateway) waiting() []string {
	if g.awaitingKeys == nil {
		return nil
	}

	names := g.awaitingKeys()
	for i, name := range names {
		names[i] = "the keys of the issuer " + name
	}

	return names
}

func (g *Gateway) adminHandler(metrics *observe.Metrics) http.Handler {
	handler := admin.New(admin.Config{
		Ready:     func() bool { return !g.draining.Load() },
		Waiting:   g.waiting,
		Metrics:   metrics.Handler(),
		Upstreams: func() any { return g.pool.Statuses() },
		Mounts:    g.options.adminMounts,
	})
	if guard := g.options.adminGuard; guard != nil {
		handler = guard(handler)
	}

	return handler
}
