package bff

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/httprules"
	"github.com/portico-gateway/portico/bff/internal/jsonpb"
	"github.com/portico-gateway/portico/bff/internal/pages"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/route"
	"github.com/portico-gateway/portico/bff/internal/upstream"
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
	return func(o *options) { o.defaultPolicy = p }
}

// WithMuxOptions changes how grpc-gateway translates, for instance its marshalers. Options about routing, about metadata and about
// headers from clients have no effect: routing, identity and what a backend gets to see are the gateway's.
func WithMuxOptions(muxOptions ...runtime.ServeMuxOption) Option {
	return func(o *options) { o.muxOptions = append(o.muxOptions, muxOptions...) }
}

// WithLogger replaces the logger that the configuration describes, which writes to standard error and never waits for whoever reads
// that. Requests wait for this one.
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) { o.logger = logger }
}

// WithDroppedLogLines says how many lines the logger of WithLogger has dropped so far, for the metric
// portico_log_lines_dropped_total. The function must be safe for concurrent use.
func WithDroppedLogLines(dropped func() uint64) Option {
	return func(o *options) { o.droppedLines = dropped }
}

// WithAdminHandler serves a handler below a path of the admin listener. The handler sees the whole path.
func WithAdminHandler(path string, handler http.Handler) Option {
	return func(o *options) { o.adminMounts[path] = handler }
}

// WithAdminGuard puts a guard before the admin listener, for programs that people run beside their browser.
func WithAdminGuard(guard func(http.Handler) http.Handler) Option {
	return func(o *options) { o.adminGuard = guard }
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
	return func(o *options) { o.listening = told }
}

type options struct {
	services      []Service
	foreign       []foreign
	composites    []func(grpc.ServiceRegistrar, Connect) error
	httpRules     []ruleFile
	rules         route.Rules
	defaultPolicy *porticov1.MethodPolicy
	overrides     []policy.Override
	muxOptions    []runtime.ServeMuxOption
	logger        *slog.Logger
	droppedLines  func() uint64
	adminMounts   map[string]http.Handler
	adminGuard    func(http.Handler) http.Handler
	pages         []pages.Page
	docsTokens    string
	listening     func(server, admin net.Addr)

	// For tests. Zero: tlsfiles.DefaultInterval and time.Now.
	tlsInterval time.Duration
	now         func() time.Time
}

// clock returns what tells the time.
func (o options) clock() func() time.Time {
	if o.now != nil {
		return o.now
	}

	return time.Now
}

type foreign struct {
	upstream string
	register func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error
	services []string
}

// ruleFile is the text of a gRPC API configuration.
type ruleFile struct {
	name string
	text []byte
}

// readRules are those of all files and tables.
func (o options) readRules() (route.Rules, error) {
	files := slices.Clone(o.httpRules)

	for _, s := range o.services {
		if s.HTTPRules != "" {
			files = append(files, ruleFile{name: "HTTPRules of " + s.Name, text: []byte(s.HTTPRules)})
		}
	}

	all := make([]route.Rules, 0, len(files))

	for _, file := range files {
		rules, err := httprules.Parse(file.name, file.text)
		if err != nil {
			return nil, err
		}

		all = append(all, rules)
	}

	return httprules.Join(all...), nil
}

func collect(cfg config.Config, opts []Option) (options, error) {
	o := options{adminMounts: map[string]http.Handler{}}
	for _, opt := range opts {
		opt(&o)
	}

	var err error
	if o.overrides, err = overrides(cfg.Policies); err != nil {
		return options{}, fmt.Errorf("configuration: %w", err)
	}

	if o.rules, err = o.readRules(); err != nil {
		return options{}, fmt.Errorf("HTTP rules: %w", err)
	}

	if cfg.Auth.Disabled && o.defaultPolicy.GetAccess() == nil {
		public := &porticov1.MethodPolicy{Access: &porticov1.Access{Public: true}}
		if o.defaultPolicy != nil {
			proto.Merge(public, o.defaultPolicy)
		}

		o.defaultPolicy = public
	}

	return o, nil
}

func (o options) gatewayConfig(cfg config.Config) gateway.Config {
	return gateway.Config{
		Defaults: policy.Defaults{
			Timeout: cfg.Server.RequestTimeout, MaxBody: cfg.Limits.MaxBodyBytes, Policy: o.defaultPolicy,
			Overrides: o.overrides,
		},
		JSON: jsonpb.Config{
			ProtoNames: cfg.JSON.Names == config.NamesProto, EmitDefaults: cfg.JSON.EmitDefaults, MaxDepth: cfg.JSON.MaxDepth,
		},
		Rules:                 o.rules,
		IgnoredParameters:     cfg.Query.Ignored,
		MaxDecompressionRatio: cfg.Limits.MaxDecompressionRatio,
		AuthDisabled:          cfg.Auth.Disabled,
		ServerTiming:          cfg.Server.ServerTiming,
		CacheDisabled:         cfg.Cache.Disabled,
		MuxOptions:            o.muxOptions,
	}
}

// connections are how registrations get theirs. Nil where routes are only compiled.
type connections interface {
	upstream(name string) (*grpc.ClientConn, error)
	composite(service string) (grpc.ClientConnInterface, error)
}

func (o options) registrations(conns connections) []gateway.Registration {
	regs := make([]gateway.Registration, 0, len(o.services)+len(o.foreign))

	for _, s := range o.services {
		regs = append(regs, gateway.Registration{
			Services: []string{s.Name}, DefaultPolicy: s.DefaultPolicy,
			Register: func(ctx context.Context, mux *runtime.ServeMux) error {
				conn, err := serviceConn(conns, s)
				if err != nil {
					return fmt.Errorf("service %s: %w", s.Name, err)
				}

				return s.Register(ctx, mux, conn)
			},
		})
	}

	for _, f := range o.foreign {
		regs = append(regs, gateway.Registration{
			Services: f.services,
			Register: func(ctx context.Context, mux *runtime.ServeMux) error {
				conn, err := conns.upstream(f.upstream)
				if err != nil {
					return err
				}

				return f.register(ctx, mux, conn)
			},
		})
	}

	return regs
}

func serviceConn(conns connections, s Service) (grpc.ClientConnInterface, error) {
	if s.Composite {
		return conns.composite(s.Name)
	}

	return conns.upstream(s.Upstream)
}

// methods are what is declared of calls to each upstream, by upstream and RPC.
func (o options) methods(routes []gateway.Route) map[string]map[string]upstream.Method {
	upstreams := map[string]string{}

	for _, s := range o.services {
		if !s.Composite {
			upstreams[s.Name] = s.Upstream
		}
	}

	for _, f := range o.foreign {
		for _, service := range f.services {
			upstreams[service] = f.upstream
		}
	}

	methods := map[string]map[string]upstream.Method{}

	for _, r := range routes {
		name, ok := upstreams[string(r.Descriptor.Parent().FullName())]
		if !ok {
			continue
		}

		if methods[name] == nil {
			methods[name] = map[string]upstream.Method{}
		}

		methods[name][r.RPC] = upstream.Method{Retry: r.Policy.Retry, Breaker: r.Policy.Breaker}
	}

	return methods
}
