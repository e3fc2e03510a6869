package bff

import (
	"context"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/upstream/headerpolicy"
)

// Compiled is what a configuration and options make of the services that are linked into the program: their routes, each with its
// policy. It is immutable and safe for concurrent use.
type Compiled struct {
	// given are the options as they were given, for another configuration.
	given []Option
	// config has its defaults.
	config  config.Config
	options options
	// routing is how routes are guarded and translated, without what only an open gateway has.
	routing gateway.Config
	routes  []gateway.Route
	// methods are those that composites can call, by RPC.
	methods map[string]*policy.Method
	// headers are the allow-lists of headers.
	headers *headerpolicy.List
}

// Compile finds the routes of the services that the options name, and compiles their policies. It reads no files and makes no
// connections, and does not ask for credentials, upstreams and implementations of composites: Open does. The error names every
// fault of the options, or of the routes and their policies.
func Compile(cfg config.Config, opts ...Option) (*Compiled, error) {
	compiled, err := compile(cfg, opts)
	if err != nil {
		return nil, err
	}

	return compiled, nil
}

// compile is Compile. With an error it returns what could be compiled; nil if the options are faulty in themselves.
func compile(cfg config.Config, opts []Option) (*Compiled, error) {
	cfg = cfg.WithDefaults()

	var faults optionFaults

	o, err := collect(cfg, opts)
	if faulty := o.faults.join(); faulty != nil {
		return nil, faulty
	}

	faults.add(err)

	if !o.developmentIssuers {
		faults.add(cfg.CheckDevelopmentIssuers())
	}

	headers, err := headerpolicy.New(cfg.Headers)
	faults.add(err)

	routing, err := o.gatewayConfig(cfg)
	faults.add(err)

	if headers != nil {
		routing.ResponseHeaders = headers.Response()
	}

	api, err := gateway.Compile(o.registrations(nil), routing)
	faults.add(err)

	return &Compiled{
		given: opts, config: cfg, options: o, routing: routing, routes: api.Routes, methods: api.Methods, headers: headers,
	}, faults.join()
}

// New is Compile and Open. The caller closes the gateway.
func New(ctx context.Context, cfg config.Config, opts ...Option) (*Gateway, error) {
	compiled, err := Compile(cfg, opts...)
	if err != nil {
		return nil, err
	}

	return compiled.Open(ctx)
}

// Routes lists the routes, the most specific first.
func (c *Compiled) Routes() []Route { return c.options.describe(c.routes) }

// OpenAPI describes the API as an OpenAPI 3.1 document in JSON. An open gateway serves it at /openapi.json, unless docs.openapi is
// off.
func (c *Compiled) OpenAPI() ([]byte, error) {
	document, err := c.document()
	if err != nil {
		return nil, err
	}

	return document.JSON()
}
