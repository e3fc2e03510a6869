package bff

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Service is a generated service. It is an alias of an unnamed type, so that the table that protoc-gen-portico writes can declare
// the same without importing this package.
type Service = struct {
	// Name is the full name, "user.v1.UserService".
	Name string
	// Upstream is the name of its backend in the configuration.
	Upstream string
	// Composite services are implemented inside the gateway (WithComposite) and have no upstream.
	Composite bool
	// DefaultPolicy is for methods that say nothing about access: "deny" (nobody may call them), "public" or "authenticated".
	// Empty: there is none. WithDefaultPolicy is stronger.
	DefaultPolicy string
	// HTTPRules are the rules of a gRPC API configuration for its methods, as for WithHTTPRules. Empty: there are none.
	HTTPRules string
	// Register calls the generated Register…HandlerClient.
	Register func(context.Context, *runtime.ServeMux, grpc.ClientConnInterface) error
	// Routes are its REST routes, for the reader. The gateway reads them from the descriptor, where their policy is.
	Routes []struct{ Method, Path, RPC string }
	// Comments are what the protos say, by full name, and Examples exchanges, by that of the method: both for the description of
	// the API. Services may share them.
	Comments, Examples map[string]string
}

// Option adds something to a gateway. An option that may be given only once says so; of the others, each adds to those before.
type Option func(*options)

// WithServices serves generated services, from the table that protoc-gen-portico writes: their routes, policies and description.
//
// Without it, and without WithHandlers, there are no routes. Handlers that were generated without protoc-gen-portico are served by
// WithHandlers.
func WithServices(services ...Service) Option {
	return func(o *options) { o.services = append(o.services, services...) }
}

// WithHandlers serves handlers without a table of protoc-gen-portico: a generated Register…Handler function, or one that calls
// several. They call the named upstream of the configuration. The services are named in full ("acme.shop.v1.CartService"), all that
// register registers and no others, in any order. Their policies come from their protos or, if those have no options of Portico,
// from WithDefaultPolicy.
//
// The description of such services has no comments and examples; WithServices has them. Handlers that are not generated, but put on
// the mux by hand, are refused: serve them with WithPage.
func WithHandlers(
	upstream string, register func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error, services ...string,
) Option {
	return func(o *options) {
		o.faults.need("WithHandlers", "the register function", register)
		o.foreign = append(o.foreign, foreign{upstream: upstream, register: register, services: services})
	}
}

// WithHTTPRules adds the routes of a gRPC API configuration, with which handlers were generated (grpc_api_configuration), to those
// in the protos of the services that WithHandlers names. The text is a google.api.Service in YAML, whose http.rules count. The name
// is that of the file, for messages.
//
// Do not use it for tables that protoc-gen-portico has written with such a file: they have the routes already.
func WithHTTPRules(name string, yaml []byte) Option {
	return func(o *options) { o.httpRules = append(o.httpRules, ruleFile{name: name, text: yaml}) }
}

// Connect returns the connection to an upstream of the configuration. It carries the identity of the request in whose context it
// is used, and its calls are balanced, measured and guarded by the upstream's breaker. They obey the cache policy of their method,
// and identical ones of the same caller at the same time share a reply if the method has no side effects.
type Connect = func(upstream string) (grpc.ClientConnInterface, error)

// WithComposite implements a service inside the gateway: register is the generated Register…Server function, build makes the
// implementation over connections to upstreams. Open calls build for the gateway, and may call it again for instances that call
// nothing, as Explain does. Build should connect to all upstreams that the composite calls: Open refuses a configuration with one
// that nothing is known to call. The service itself must be among those of WithServices, and its proto say that it is a composite.
//
// A composite can call upstreams, and no other composite; its calls obey the policies of the methods that they call. Open runs each
// method that has no side effects, on another instance, over replies that are made up, to log which of its calls are refused. A
// service with data of its own belongs in a backend.
func WithComposite[S any](register func(grpc.ServiceRegistrar, S), build func(Connect) (S, error)) Option {
	return func(o *options) {
		o.faults.need("WithComposite", "the register function", register)
		o.faults.need("WithComposite", "the build function", build)
		o.composites = append(o.composites, func(registrar grpc.ServiceRegistrar, connect Connect) error {
			implementation, err := build(connect)
			if err != nil {
				return fmt.Errorf("composite: %w", err)
			}

			register(registrar, implementation)

			return nil
		})
	}
}

// WithDefaultPolicy sets the policy for what neither a method nor its service says. A later one replaces it.
//
// Without it, a method needs an access policy of its own, unless authentication is disabled. Prefer the options of portico.v1 where
// the protos can be changed: a default does not show in them.
func WithDefaultPolicy(p *porticov1.MethodPolicy) Option {
	return func(o *options) {
		o.faults.need("WithDefaultPolicy", "the policy", p)
		o.defaultPolicy = p
	}
}

// WithMuxOptions changes how grpc-gateway translates: WithMarshalerOption, WithMiddlewares, WithForwardResponseOption,
// WithForwardResponseRewriter, WithOutgoingHeaderMatcher and WithOutgoingTrailerMatcher. The others are refused: routing, errors,
// and what backends get of a request are the gateway's. Options are applied several times while a gateway is opened, and must have
// the same effect each time.
//
// Without it, the gateway's own codec writes JSON without decoding messages first where it can. Any of these options costs that,
// and the description of the API does not know what they change: use json and headers of the configuration where they will do.
func WithMuxOptions(muxOptions ...runtime.ServeMuxOption) Option {
	return func(o *options) { o.muxOptions = append(o.muxOptions, muxOptions...) }
}

// WithLogger replaces the logger that the configuration describes. A later one replaces it.
//
// Without it, the gateway writes to standard error in the background, and drops lines that nobody reads in time. Requests wait for
// this logger: it should not block.
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) {
		o.faults.need("WithLogger", "the logger", logger)
		o.logger = logger
	}
}

// WithDroppedLogLines adds the metric portico_log_lines_dropped_total for a logger of WithLogger that drops lines: the function
// returns how many so far. It must be safe for concurrent use.
//
// Without it there is no such metric for that logger; the gateway's own logger has it anyway.
func WithDroppedLogLines(dropped func() uint64) Option {
	return func(o *options) {
		o.faults.need("WithDroppedLogLines", "the function", dropped)
		o.droppedLines = dropped
	}
}

// WithAdminMiddleware puts middleware around all that operators can reach on the admin listener and by Gateway.Admin: to ask for
// credentials, or to serve more there. The first is the outermost.
//
// Without it, anyone who reaches the admin listener may read it. What changes something needs admin.credential in any case. Do not
// refuse /livez and /readyz to the program that checks the gateway's health.
func WithAdminMiddleware(middleware ...func(http.Handler) http.Handler) Option {
	return func(o *options) {
		o.faults.needEach("WithAdminMiddleware", len(o.adminMiddleware), middleware)
		o.adminMiddleware = append(o.adminMiddleware, middleware...)
	}
}

// WithPage serves a handler on the listener for clients, beside the routes: at a path, or at all paths below one that ends with a
// slash. It comes after the edge (log, limit per client, credentials that are shown are valid), but asks for no credentials
// itself, and accepts GET and HEAD unless methods says otherwise. Where a route matches the path too, the page wins; a route that
// is left no path at all is refused by Open.
//
// Unlike a response of a route, a page may load scripts, styles and images of its own origin and call the API there: its
// Content-Security-Policy is "default-src 'self'" without inline scripts, and with no frames around it, unless the handler sets
// another.
//
// Without it, clients reach the routes, and the description as far as docs of the configuration lets them. Do not use it for an
// API: pages have no policy, and are not described.
func WithPage(path string, handler http.Handler, methods ...string) Option {
	return func(o *options) {
		o.faults.need("WithPage", "the handler for "+path, handler)
		o.pages = append(o.pages, pages.Page{Path: path, Handler: pages.OwnOrigin(handler), Methods: methods})
	}
}

// WithDevelopmentIssuers accepts the OpenID provider of `portico dev` in auth.issuers and auth.sessions, where anyone can log in as
// anyone. It is for development and tests alone.
//
// Without it, Compile refuses such an issuer.
func WithDevelopmentIssuers() Option {
	return func(o *options) { o.developmentIssuers = true }
}

// WithListening calls a function with the addresses on which Run listens, once it does: to learn a port that the system has chosen
// (server.address ":0"), or to notify a supervisor. admin is nil if that listener is off. The function must return soon.
//
// Without it, the log says the addresses. It has no effect for a gateway that the program serves itself.
func WithListening(listening func(server, admin net.Addr)) Option {
	return func(o *options) {
		o.faults.need("WithListening", "the function", listening)
		o.listening = listening
	}
}
