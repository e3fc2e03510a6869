package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

type options struct {
	services        []Service
	foreign         []foreign
	composites      []func(grpc.ServiceRegistrar, Connect) error
	httpRules       []ruleFile
	rules           schema.Rules
	defaultPolicy   *porticov1.MethodPolicy
	overrides       []policy.Override
	muxOptions      []runtime.ServeMuxOption
	logger          *slog.Logger
	droppedLines    func() uint64
	adminMiddleware []func(http.Handler) http.Handler
	pages           []pages.Page
	middleware      []func(http.Handler) http.Handler
	registerer      prometheus.Registerer
	tracerProvider  trace.TracerProvider
	dialOptions     map[string][]grpc.DialOption
	authenticator   *Authenticator
	problemHook     func(*http.Request, *Problem)
	listening       func(server, admin net.Addr)
	source          func() (config.Config, error)
	startAttrs      []slog.Attr
	reloaded        func(config.Config)
	systemd         bool
	// developmentIssuers are accepted.
	developmentIssuers bool

	// faults are what is wrong with the options themselves.
	faults optionFaults
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
func (o options) readRules() (schema.Rules, error) {
	files := slices.Clone(o.httpRules)

	for _, s := range o.services {
		if s.HTTPRules != "" {
			files = append(files, ruleFile{name: "HTTPRules of " + s.Name, text: []byte(s.HTTPRules)})
		}
	}

	all := make([]schema.Rules, 0, len(files))

	for _, file := range files {
		rules, err := schema.ParseRules(file.name, file.text)
		if err != nil {
			return nil, err
		}

		all = append(all, rules)
	}

	return schema.JoinRules(all...), nil
}

// collect applies the options. With an error they lack what is faulty of the configuration and the rules, or have faults of their
// own and must not be used.
func collect(cfg config.Config, opts []Option) (options, error) {
	var o options

	for i, opt := range opts {
		if opt == nil {
			o.faults.addf("option %d is nil", i+1)
		} else {
			opt(&o)
		}
	}

	if err := gateway.CheckMuxOptions(o.muxOptions); err != nil {
		o.faults.addf("WithMuxOptions: %w", err)
	}

	if err := o.faults.join(); err != nil {
		return o, err
	}

	var policyFaults, ruleFault error

	o.overrides, policyFaults = overrides(cfg.Policies)

	if o.rules, ruleFault = o.readRules(); ruleFault != nil {
		ruleFault = fmt.Errorf("HTTP rules: %w", ruleFault)
	}

	if cfg.Auth.Disabled && o.defaultPolicy.GetAccess() == nil {
		public := &porticov1.MethodPolicy{Access: &porticov1.Access{Public: true}}
		if o.defaultPolicy != nil {
			proto.Merge(public, o.defaultPolicy)
		}

		o.defaultPolicy = public
	}

	return o, errors.Join(policyFaults, ruleFault)
}

// validate checks the configuration, and the options and routes against it.
func (c *Compiled) validate() error {
	var faults optionFaults

	check := c.config.Validate
	if a := c.options.authenticator; a != nil {
		check = c.config.ValidateWithAuthenticator
		a.checkConfig(c.config, &faults)
		a.checkRoutes(c.routes, &faults)
	}

	faults.add(check())
	c.checkUpstreams(&faults)
	c.checkSessionCookie(&faults)

	checkDialOptions(c.options.dialOptions, c.config, &faults)

	return faults.join()
}

// gatewayConfig is how routes are guarded and translated, without what only an open gateway has.
func (o options) gatewayConfig(cfg config.Config) (gateway.Config, error) {
	routing := gateway.Config{
		Defaults: policy.Defaults{
			Timeout: cfg.Server.RequestTimeout, MaxBody: cfg.Limits.MaxBodyBytes, Policy: o.defaultPolicy,
			Overrides: o.overrides,
		},
		Settings:   cfg,
		Rules:      o.rules,
		Composites: len(o.composites) > 0,
		MuxOptions: o.muxOptions, Interceptors: len(o.dialOptions) > 0,
		Vary:                  append([]string{cfg.Auth.APIKeys.Header}, cfg.Headers.Request...),
		ForwardsAuthorization: o.forwardsAuthorization(cfg),
	}
	routing.ForwardsAuthorization = o.forwardsAuthorization(cfg)

	if cfg.Auth.Sessions.On() {
		routing.Vary = append(routing.Vary, "Cookie")
	}

	if a := o.authenticator; a != nil {
		routing.Vary = append(routing.Vary, a.place().Carrier())
	}

	if cfg.Compression.Disabled {
		return routing, nil
	}

	compressed, err := compress.Responses(cfg.Compression.MinBytes)
	if err != nil {
		return routing, fmt.Errorf("compression: %w", err)
	}

	routing.Compress = compressed

	return routing, nil
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

				if s.Register == nil {
					return fmt.Errorf("service %s: its Register is nil", s.Name)
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

// home is where a service is: in an upstream, or inside the gateway.
type home struct {
	upstream  string
	composite bool
}

// homes are those of all services, by their full names.
func (o options) homes() map[string]home {
	homes := map[string]home{}

	for _, f := range o.foreign {
		for _, service := range f.services {
			homes[service] = home{upstream: f.upstream}
		}
	}

	for _, s := range o.services {
		homes[s.Name] = home{upstream: s.Upstream}
		if s.Composite {
			homes[s.Name] = home{composite: true}
		}
	}

	return homes
}

// forwardsAuthorization returns whether backends of a service get the Authorization header of the caller. A composite may call any
// upstream.
func (o options) forwardsAuthorization(cfg config.Config) func(service protoreflect.FullName) bool {
	homes, some := o.homes(), false

	for _, u := range cfg.Upstreams {
		some = some || u.ForwardAuthorization
	}

	return func(service protoreflect.FullName) bool {
		at := homes[string(service)]

		return cfg.Upstreams[at.upstream].ForwardAuthorization || at.composite && some
	}
}

// methodsOf are the policies of the methods of each upstream, by upstream and RPC.
func (c *Compiled) methodsOf() map[string]map[string]policy.Policy {
	homes := c.options.homes()
	methods := map[string]map[string]policy.Policy{}

	for rpc, m := range c.methods {
		at, registered := homes[string(m.Descriptor.Parent().FullName())]
		if !registered {
			at.upstream = policy.Upstream(m.Descriptor)
		}

		if at.composite || m.Err != nil {
			continue
		}

		if methods[at.upstream] == nil {
			methods[at.upstream] = map[string]policy.Policy{}
		}

		methods[at.upstream][rpc] = m.Policy
	}

	return methods
}
