package bff

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/auth/identity"
	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/inflight"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	"github.com/portico-gateway/portico/bff/internal/upstream/headerpolicy"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc"
)

// openPool opens the connections to the upstreams. With internal tokens, the keys to verify them are for the admin listener.
func (g *Gateway) openPool(ctx context.Context, metrics *observe.Metrics, routes []gateway.Route) error {
	transports, err := g.openTLS(ctx, metrics)
	if err != nil {
		return err
	}

	signer, err := openSigner(g.config.Auth.Internal)
	if err != nil {
		return err
	}

	if signer != nil {
		g.options.adminMounts[identity.Path] = signer.Handler()
	}

	methods := g.options.methods(routes)

	configs := make(map[string]upstream.Config, len(g.config.Upstreams))
	for name, u := range g.config.Upstreams {
		outgoing := upstream.Metadata{ForwardAuthorization: u.ForwardAuthorization}
		if signer != nil {
			outgoing.Sign = signer.For(name)
		}

		opened := upstreamConfig(u, outgoing, transports[name], methods[name])
		opened.DialOptions = g.options.dialOptions[name]
		configs[name] = opened
	}

	if g.pool, err = upstream.Open(configs, upstream.Deps{
		Logger: g.options.logger, Observer: metrics,
		Unary: gateway.Unary(routes, g.stores.cache), Stream: gateway.VerifyStream,
	}); err != nil {
		return fmt.Errorf("open upstreams: %w", err)
	}

	return nil
}

func upstreamConfig(
	u config.Upstream, outgoing upstream.Metadata, transport func() *tls.Config, methods map[string]upstream.Method,
) upstream.Config {
	return upstream.Config{
		Addresses: u.Addresses, Target: u.Target, Authority: u.Authority, Metadata: outgoing, TLS: transport, Methods: methods,
		Breaker:     breaker.Settings(u.Breaker),
		Concurrency: upstream.Concurrency(u.Concurrency), Balancing: u.Balancing, RefreshInterval: u.RefreshInterval,
		MaxReceiveBytes: u.MaxReceiveBytes,
		Probe:           upstream.Probe(u.Probe),
		Ejection: upstream.Ejection{
			Disabled: u.Ejection.Disabled, ConsecutiveFailures: u.Ejection.Failures,
			BaseTime: u.Ejection.Time, MaxRatio: u.Ejection.MaxRatio,
		},
	}
}

// openSigner returns what signs internal tokens; nil if there are none.
func openSigner(cfg config.InternalToken) (*identity.Signer, error) {
	if cfg.Issuer == "" {
		return nil, nil //nolint:nilnil // There is none.
	}

	signer, err := identity.Open(identity.Config{Issuer: cfg.Issuer, KeyFile: cfg.KeyFile, Lifetime: cfg.Lifetime})
	if err != nil {
		return nil, fmt.Errorf("auth.internal_token: %w", err)
	}

	return signer, nil
}

// assemble puts the layers together, from the inside out: handlers, router, edge.
func (g *Gateway) assemble(ctx context.Context, metrics *observe.Metrics) error {
	routing := g.options.gatewayConfig(g.config)

	routes, err := gateway.Compile(g.options.registrations(nil), routing)
	if err != nil {
		return err
	}

	if err := g.options.authenticator.checkRoutes(routes); err != nil {
		return err
	}

	if g.stores, err = g.openStores(metrics); err != nil {
		return err
	}

	if err := g.openPool(ctx, metrics, routes); err != nil {
		return err
	}

	conns, err := g.connect(routes)
	if err != nil {
		return err
	}

	headers, err := headerpolicy.New(g.config.Headers.Request, g.config.Headers.Response)
	if err != nil {
		return fmt.Errorf("headers: %w", err)
	}

	routing.ResponseHeader, routing.Draining = headers.Response, ctx
	if err := g.complete(&routing, metrics); err != nil {
		return err
	}

	router, err := gateway.New(ctx, routes, g.options.registrations(conns), routing)
	if err != nil {
		return err
	}

	g.routes = g.options.describe(router.Routes())

	served, err := g.pages(routes, routing.Compress, router)
	if err != nil {
		return err
	}

	if err := g.wrap(ctx, metrics, headers.Collect, served, router); err != nil {
		return err
	}

	g.admin = g.adminHandler(metrics)

	return g.export(metrics)
}

// wrap puts the edge around what is served: pages, and the routes behind them.
func (g *Gateway) wrap(
	ctx context.Context, metrics *observe.Metrics, forward func(http.Handler) http.Handler, served *pages.Mux,
	router *gateway.Gateway,
) error {
	layers, err := g.layers(ctx, metrics)
	if err != nil {
		return err
	}

	var faults optionFaults

	layers.Forward = forward
	layers.Middleware = wrapped(g.options.middleware, &faults)
	layers.Problems = g.options.problems(g.config)

	config := edgeConfig(g.config)
	config.CORS.Methods = func(path string) []string { return slices.Concat(served.Methods(path), router.Methods(path)) }
	config.CORS.FurtherMethods = router.AllMethods()

	for _, p := range g.options.pages {
		config.CORS.FurtherMethods = append(config.CORS.FurtherMethods, p.Methods...)
	}

	g.handler = edge.Wrap(config, layers, served)

	return faults.join()
}

// complete gives the routes what they work with.
func (g *Gateway) complete(routing *gateway.Config, metrics *observe.Metrics) error {
	routing.Limiter, routing.Cache, routing.Idempotency = g.stores.limiter, g.stores.cache, g.stores.idempotency
	routing.Vary = append([]string{g.config.Auth.APIKeys.Header}, g.config.Headers.Request...)

	if a := g.options.authenticator; a != nil {
		routing.Vary = append(routing.Vary, a.carrier())
	}

	routing.Overload = inflight.New(g.config.Overload)
	metrics.Watch(routing.Overload.InFlight, g.connections.Open)

	if g.config.Compression.Disabled {
		return nil
	}

	var err error
	if routing.Compress, err = compress.Responses(g.config.Compression.MinBytes); err != nil {
		return fmt.Errorf("compression: %w", err)
	}

	return nil
}

// layers are those of the edge.
func (g *Gateway) layers(ctx context.Context, metrics *observe.Metrics) (edge.Deps, error) {
	responses := connection.NewResponses(g.config.Overload.MaxBufferedResponseBytes)
	metrics.WatchResponses(responses.Buffered, responses.CutOff)

	layers := edge.Deps{
		Logger: g.options.logger, Metrics: metrics,
		Connections: g.connections.Handler, Responses: responses.Handler, Certificate: g.clients.Handler,
		ClientLimit: g.stores.limiter.PerClient(limit.Rate{
			Requests: g.config.Limits.Client.Requests, Per: g.config.Limits.Client.Per, Burst: g.config.Limits.Client.Burst,
		}),
	}

	if g.config.Auth.Disabled {
		return layers, nil
	}

	config := authConfig(g.config.Auth)
	config.Files, config.Custom = metrics, g.options.authenticator.custom(g.config.Server.RequestTimeout)

	authenticator, err := auth.New(ctx, config, g.options.logger)
	if err != nil {
		return edge.Deps{}, fmt.Errorf("auth: %w", err)
	}

	layers.Identify, g.awaitingKeys = authenticator.Identify, authenticator.AwaitingKeys
	g.running.Go(authenticator.Wait)

	return layers, nil
}

func edgeConfig(cfg config.Config) edge.Config {
	return edge.Config{
		TrustedProxies: cfg.ClientIP.TrustedProxies,
		BodyLimit:      cfg.Limits.MaxBodyBytes,
		Timeout:        cfg.Server.RequestTimeout,
		CORS: edge.CORS{
			AllowedOrigins: cfg.CORS.AllowedOrigins, AllowedHeaders: cfg.CORS.AllowedHeaders,
			AllowCredentials: cfg.CORS.AllowCredentials, MaxAge: cfg.CORS.MaxAge,
		},
	}
}

func authConfig(cfg config.Auth) auth.Config {
	out := auth.Config{
		CacheTokens: cfg.CacheTokens, KeysGrace: cfg.KeysGrace,
		APIKeys: auth.APIKeys{
			File: cfg.APIKeys.File, Header: cfg.APIKeys.Header, ReloadInterval: cfg.APIKeys.ReloadInterval,
		},
	}

	for _, i := range cfg.Issuers {
		out.Issuers = append(out.Issuers, auth.Issuer{
			Issuer: i.Issuer, Audiences: i.Audiences, Algorithms: i.Algorithms, TokenTypes: i.TokenTypes,
			JWKSFile: i.JWKSFile, JWKSURL: i.JWKSURL, RefreshInterval: i.RefreshInterval, Leeway: i.Leeway,
			Claims: auth.Claims(i.Claims), RequiredClaims: i.RequiredClaims, SubjectPrefix: i.SubjectPrefix,
		})
	}

	for _, c := range cfg.Certificates {
		out.Certificates = append(out.Certificates, auth.Certificate(c))
	}

	return out
}

// wiring implements connections: the pool's for upstreams, one in-process channel for all composites.
type wiring struct {
	pool       *upstream.Pool
	composites *inproc.Channel
}

func (g *Gateway) connect(routes []gateway.Route) (wiring, error) {
	unary := compositeUnary(gateway.Unary(routes, g.stores.cache))
	w := wiring{pool: g.pool, composites: inproc.New(unary, compositeStream)}

	for _, add := range g.options.composites {
		if err := add(w.composites, g.connectComposite); err != nil {
			return wiring{}, err
		}
	}

	return w, nil
}

// connectComposite is the Connect of composites. They call upstreams alone: between composites there could be cycles, and the
// policies of a composite are enforced where requests come in.
func (g *Gateway) connectComposite(name string) (grpc.ClientConnInterface, error) {
	conn, err := g.pool.Conn(name)
	if err == nil {
		return conn, nil
	}

	for _, s := range g.options.services {
		if s.Composite && (s.Name == name || strings.HasPrefix(s.Name, name+".")) {
			return nil, fmt.Errorf("%s is a composite (%s), and a composite can call upstreams alone:"+
				" share its code, or make it a backend", name, s.Name)
		}
	}

	return nil, err
}

func (w wiring) upstream(name string) (*grpc.ClientConn, error) {
	return w.pool.Conn(name)
}

func (w wiring) composite(service string) (grpc.ClientConnInterface, error) {
	if !w.composites.Serves(service) {
		return nil, fmt.Errorf("%s is a composite, but nothing implements it (WithComposite)", service)
	}

	return w.composites, nil
}

// compositeUnary treats a call to a composite as one to a backend: it gets the gateway's metadata alone.
func compositeUnary(first grpc.UnaryClientInterceptor) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		return first(ctx, method, req, reply, cc,
			func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
				return invoke(upstream.WithMetadata(ctx), method, req, reply, cc, opts...)
			}, opts...)
	}
}

func compositeStream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
	open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return gateway.VerifyStream(ctx, desc, cc, method,
		func(
			ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return open(upstream.WithMetadata(ctx), desc, cc, method, opts...)
		}, opts...)
}
