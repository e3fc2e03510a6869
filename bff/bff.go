// Package bff is a gateway that translates REST to gRPC, as a library: New makes an http.Handler out of generated grpc-gateway
// handlers, the policies in their protos and a configuration. The portico command is built on it.
//
//	gw, err := bff.New(ctx, cfg,
//		bff.WithServices(gen.Services()...),
//		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, dashboard.New))
//	…
//	err = gw.Run(ctx)
//
// Handlers that were generated elsewhere, from protos without options of Portico, are served by WithHandlers. Compile has the
// routes and the description without opening anything.
package bff

import (
	"crypto/tls"
	"log/slog"
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
)

// Gateway serves REST. It is safe for concurrent use and, once it serves, immutable but for its readiness.
type Gateway struct {
	compiled *Compiled
	life     *lifetime
	logger   *slog.Logger
	handler  http.Handler
	admin    http.Handler
	// connections are those of clients.
	connections *connection.Guard
	// tls is for the listener; nil: it is not encrypted.
	tls *tls.Config
	// clients checks the certificates of clients.
	clients *tlsfiles.Clients
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Admin is for operators: /livez, /readyz, /metrics, /upstreams and /debug/pprof/. It must not be reachable by clients.
func (g *Gateway) Admin() http.Handler { return g.admin }

// Routes lists the routes, the most specific first.
func (g *Gateway) Routes() []Route { return g.compiled.Routes() }

// Drain makes /readyz fail and ends open streams, so that load balancers and clients go elsewhere. Requests are still served.
func (g *Gateway) Drain() { g.life.stop() }

// Close ends the background work and the connections to the backends, and the calls on them. Further calls change nothing.
func (g *Gateway) Close() error { return g.life.end() }
