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
	// Routes are its REST routes, for the reader. The gateway takes them from the descriptor, where their policy is.
	Routes []struct{ Method, Path, RPC string }
	// Comments are what the protos say, by full name, and Examples exchanges, by that of the method: both for the description of
	// the API. Services may share them.
	Comments, Examples map[string]string
}

// Option adds something to a gateway.
type Option func(*options)

// WithServices serves generated services. protoc-gen-portico writes the table of them.
func WithServices(services ...Service) Option {
	return func(o *options) { o.services = append(o.services, services...) }
}

// WithHandlers serves handlers that were generated elsewhere, by a generated Register…Handler function or one that calls several.
// They call the named upstream of the configuration. The services are named in full ("acme.shop.v1.CartService"), all that register
// registers and no others, in any order. Policies come from their protos or, if those know nothing of Portico, from
// WithDefaultPolicy.
func WithHandlers(
	upstream string, register func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error, services ...string,
) Option {
	return func(o *options) {
		o.faults.need("WithHandlers", "the register function", register)
		o.foreign = append(o.foreign, foreign{upstream: upstream, register: register, services: services})
	}
}

// WithHTTPRules adds the rules of a gRPC API configuration, with which handlers were generated (grpc_api_configuration), to those
// in the protos of the services that WithHandlers names: a google.api.Service in YAML, whose http.rules count. The name is
// that of the file, for messages. Tables that protoc-gen-portico has written have the rules already.
func WithHTTPRules(name string, yaml []byte) Option {
	return func(o *options) { o.httpRules = append(o.httpRules, ruleFile{name: name, text: yaml}) }
}

// Connect returns the connection to an upstream of the configuration. It carries the identity of the request in whose context it
// is used, and its calls are balanced, measured and guarded by the upstream's breaker.
type Connect = func(upstream string) (grpc.ClientConnInterface, error)

// WithComposite serves an implementation inside the gateway: register is the generated Register…Server function, build makes the
// implementation over connections to upstreams. The service itself must be among those of WithServices.
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

// WithDefaultPolicy holds for what neither a method nor its service says. Without it, a method needs an access policy of its own,
// unless authentication is disabled.
func WithDefaultPolicy(p *porticov1.MethodPolicy) Option {
	return func(o *options) {
		o.faults.need("WithDefaultPolicy", "the policy", p)
		o.defaultPolicy = p
	}
}

// WithMuxOptions changes how grpc-gateway translates: WithMarshalerOption, WithMiddlewares, WithForwardResponseOption,
// WithForwardResponseRewriter, WithOutgoingHeaderMatcher and WithOutgoingTrailerMatcher. New refuses the others: routing, errors,
// and what backends get of a request are the gateway's. While New runs, options are applied several times, and must have the same
// effect each time.
func WithMuxOptions(muxOptions ...runtime.ServeMuxOption) Option {
	return func(o *options) { o.muxOptions = append(o.muxOptions, muxOptions...) }
}

// WithLogger replaces the logger that the configuration describes, which writes to standard error and never waits for whoever reads
// that. Requests wait for this one.
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) {
		o.faults.need("WithLogger", "the logger", logger)
		o.logger = logger
	}
}

// WithDroppedLogLines says how many lines the logger of WithLogger has dropped so far, for the metric
// portico_log_lines_dropped_total. The function must be safe for concurrent use.
func WithDroppedLogLines(dropped func() uint64) Option {
	return func(o *options) {
		o.faults.need("WithDroppedLogLines", "the function", dropped)
		o.droppedLines = dropped
	}
}

// WithAdminHandler serves a handler below a path of the admin listener. The handler sees the whole path.
func WithAdminHandler(path string, handler http.Handler) Option {
	return func(o *options) {
		o.faults.need("WithAdminHandler", "the handler for "+path, handler)
		o.adminMounts[path] = handler
	}
}

// WithAdminGuard puts a guard before the admin listener, for programs that people run beside their browser.
func WithAdminGuard(guard func(http.Handler) http.Handler) Option {
	return func(o *options) {
		o.faults.need("WithAdminGuard", "the guard", guard)
		o.adminGuard = guard
	}
}

// WithPage serves a handler on the listener for clients, beside the routes: at a path, or at all paths below one that ends with a
// slash. It comes after the edge (log, limit per client, credentials that are shown are valid), but asks for no credentials itself,
// and takes GET and HEAD unless methods says otherwise. Where a route matches the path too, the page wins; a route that is left no
// path at all is refused by New.
//
// Unlike an answer of a route, a page may load scripts, styles and images of its own origin and call the API there: its
// Content-Security-Policy is "default-src 'self'" without inline scripts, and with no frames around it, unless the handler sets
// another.
func WithPage(path string, handler http.Handler, methods ...string) Option {
	return func(o *options) {
		o.faults.need("WithPage", "the handler for "+path, handler)
		o.pages = append(o.pages, pages.Page{Path: path, Handler: pages.OwnOrigin(handler), Methods: methods})
	}
}

// WithDocsTokens lets the page at /docs offer tokens from a URL of the gateway's own, which may be relative to the page: for
// development, with a page (WithPage) that answers to GET ?subject=alice&scope=users:admin with {"token": "…"}.
func WithDocsTokens(url string) Option {
	return func(o *options) { o.docsTokens = url }
}

// WithListening is told by Run where it listens, once it does. admin is nil if that listener is off.
func WithListening(told func(server, admin net.Addr)) Option {
	return func(o *options) {
		o.faults.need("WithListening", "the function", told)
		o.listening = told
	}
}
