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
// routes and the description without opening anything. Reload puts another configuration in place while requests are served.
package bff

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/admin"
	"github.com/portico-gateway/portico/bff/internal/admin/console"
	"github.com/portico-gateway/portico/bff/internal/systemd"
)

// Gateway serves REST. It is safe for concurrent use and, once it serves, changed by Reload alone, but for its readiness.
type Gateway struct {
	with  opening
	given []Option

	generations generations
	reloads     reloads
	// console is for operators, guard protects what they change, and drained is since when one of them has readiness fail; nil:
	// none has.
	console *console.Console
	guard   *admin.Guard
	recent  console.Recent
	drained atomic.Pointer[time.Time]
	// front is the listener of Run.
	front front
	// manager is the service manager, which is told what Run does. Nil: there is none.
	manager *systemd.Notifier

	handler http.Handler
	admin   http.Handler
	health  http.Handler
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// serve serves a request with the configuration that is current when it begins.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	current := g.generations.acquire()
	defer current.done()

	current.handler.ServeHTTP(w, r)
}

// Admin is for operators: /console/, /livez, /readyz, /metrics, /upstreams, /config, /log/level, /reload and /debug/pprof/. It must
// not be reachable by clients.
func (g *Gateway) Admin() http.Handler { return g.admin }

// Health is for the probes of a kubelet or a load balancer: /livez and /readyz, which say nothing that is internal.
func (g *Gateway) Health() http.Handler { return g.health }

// Routes lists the routes, the most specific first.
func (g *Gateway) Routes() []Route { return g.current().compiled.Routes() }

// current is the generation of requests that come now. It may end at any time: see generations.acquire.
func (g *Gateway) current() *generation { return g.generations.current.Load() }

func (g *Gateway) config() config.Config { return g.current().compiled.config }

// Drain makes /readyz fail and ends open streams, so that load balancers and clients go elsewhere. Requests are still served.
func (g *Gateway) Drain() { g.with.life.stop() }

// Close ends the background work and the connections to the backends, and the calls on them. Further calls change nothing.
func (g *Gateway) Close() error { return g.with.life.end() }
