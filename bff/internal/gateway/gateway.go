// Package gateway puts generated grpc-gateway handlers under policy. Every handler is in a tree of path templates together with its
// policy, so that the match that finds the handler finds the policy. The tree matches as grpc-gateway's ServeMux does.
//
// It does not dial; the handlers come with their connections.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/gateway/compress"
	"github.com/portico-gateway/portico/bff/internal/gateway/stream"
	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/inflight"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Config is how routes are guarded and translated.
type Config struct {
	// Settings are those of the operator.
	Settings config.Config
	// Defaults are for what a method's options do not set.
	Defaults policy.Defaults
	// Rules are those of routes that are not in the protos.
	Rules schema.Rules
	// Composites reports whether there are any, which may call methods without a route.
	Composites bool
	// Limiter holds the buckets of rate limits.
	Limiter *limit.Limiter
	// ResponseHeaders are the headers that clients get of every backend's metadata, by the name of the metadata.
	ResponseHeaders map[string]string
	// Overload refuses requests when too many are under way. Nil: none.
	Overload *inflight.Gate
	// Cache caches responses. Nil: none are cached or shared.
	Cache *cache.Cache
	// Vary are headers of requests that backends get, or that identify the caller.
	Vary []string
	// ForwardsAuthorization reports whether backends of a service get the Authorization header of the caller. Nil: none do.
	ForwardsAuthorization func(service protoreflect.FullName) bool
	// Idempotency stores the responses to requests with a key.
	Idempotency *idempotency.Deduplicator
	// Compress compresses responses that are single messages. Nil: they are not.
	Compress func(http.Handler) http.Handler
	// Draining ends when the gateway stops, and ends streams. Nil: never.
	Draining context.Context //nolint:containedctx // It is the gateway's life, not a request's.
	// MuxOptions change how the generated handlers translate. Options about routing have no effect.
	MuxOptions []runtime.ServeMuxOption
	// Interceptors reports that interceptors of an embedding program see calls, with the context of the generated handler.
	Interceptors bool
}

// Gateway is the router. It is immutable and safe for concurrent use.
type Gateway struct {
	routes []Route
	// trees lead to the targets, by HTTP method.
	trees map[string]*pathtemplate.Tree[*target]
	// methods are those that any route has, in alphabetical order.
	methods []string
}

// routedHandler handles a request whose route has been found, and whose path has these variables.
type routedHandler func(w http.ResponseWriter, r *http.Request, variables pathtemplate.Values)

// target is a route in the tree.
type target struct {
	method   string
	template pathtemplate.Template
	handler  routedHandler
	priority porticov1.Priority
}

// New registers the handlers of the routes, which Compile returned and which are not changed. It refuses a registration that does
// not match its descriptors, and names every fault.
func New(ctx context.Context, routes []Route, registrations []Registration, config Config) (*Gateway, error) {
	routes = slices.Clone(routes)

	if err := bindAll(ctx, registrations, routes, config); err != nil {
		return nil, err
	}

	g := &Gateway{routes: routes, trees: map[string]*pathtemplate.Tree[*target]{}}

	for i := range routes {
		r := &routes[i]
		r.located = g.located

		// Only embedding programs look for it.
		if len(config.MuxOptions) > 0 {
			if err := r.showPattern(); err != nil {
				return nil, fmt.Errorf("route %s of %s: %w", r, r.RPC, err)
			}
		}

		g.add(r, guard(r, config))
	}

	return g, nil
}

func (g *Gateway) add(r *Route, handler routedHandler) {
	tree, known := g.trees[r.Method]
	if !known {
		tree = &pathtemplate.Tree[*target]{}
		g.trees[r.Method] = tree
		g.methods = append(g.methods, r.Method)
		slices.Sort(g.methods)
	}

	tree.Add(r.Template, &target{
		method: r.Method, template: r.Template, handler: handler, priority: r.Policy.Effective.GetPriority(),
	})
}

// AllMethods lists the HTTP methods that any route has, in alphabetical order.
func (g *Gateway) AllMethods() []string { return slices.Clone(g.methods) }

// Routes lists the routes, the most specific first.
func (g *Gateway) Routes() []Route { return g.routes }

// guard puts the policy of a route around its handler. From the outside in; those with a star are for requests with a body alone:
//
//	record    the route and its path variables, which are checked
//	in flight the limit on requests; for those with a body within the deadline
//	timing    the duration of calls, for the client
//	Require   access
//	limits    rate limits
//	body*     its type and size, decompression
//	deadline  of the request
//	cache     cached responses, and calls shared by requests at the same time
//	compress  unless the response is a stream or a file
//	idempotent stored responses to requests with a key
//	stream    its frames
//	invoke    hides path variables, query, headers and body from generated code; the status of the policy
//	generated the handler: call (VerifyUnary: path variables, body, query, headers, condition, rules), response
func guard(r *Route, config Config) routedHandler {
	admit := func(next http.Handler) http.Handler { return next }
	if config.Overload != nil {
		named := config.Overload.Named(inflight.RouteName{Method: r.Method, Path: r.Template.String()})
		admit = named.Route(r.Policy.Effective.GetPriority(), r.ServerStream || r.ClientStream)
	}

	within := deadline(r.Policy.Effective.GetTimeout().AsDuration(), !r.ClientStream && !r.ServerStream)
	allowed := r.allowed(config)
	reading := func(next http.Handler) http.Handler {
		return allowed(body(r)(compress.Requests(config.Settings.Limits.MaxDecompressionRatio)(within(next))))
	}

	handler := r.responding(config)
	withBody := reading(admitAfterBody(admit(handler)))

	if r.ClientStream {
		withBody = admit(reading(handler))
	}

	return recordRoute(r, byBody(admit(allowed(within(handler))), withBody))
}

// allowed are the layers that let a request pass by who sends it and how often.
func (r *Route) allowed(config Config) func(http.Handler) http.Handler {
	limited := config.Limiter.Route(r.RPC, r.Policy.Effective.GetRateLimits())
	required := auth.Require(r.Policy.Effective.GetAccess(), r.Policy.Condition)

	return func(handler http.Handler) http.Handler {
		handler = limited(handler)

		if !config.Settings.Auth.Disabled {
			handler = required(handler)
		}

		if config.Settings.Server.ServerTiming && !r.ServerStream {
			handler = serverTiming(handler)
		}

		return handler
	}
}

// responding returns the layers from the cache on.
func (r *Route) responding(config Config) http.Handler {
	handler := http.Handler(invoke(r, r.requestCondition(config)))

	if r.ServerStream {
		handler = stream.Respond(r.streamed(config))(handler)
	}

	if p := r.Policy.Effective.GetIdempotency(); p != nil {
		handler = config.Idempotency.Route(idempotency.Rule{
			RPC: r.RPC, Required: p.GetRequired(), TTL: p.GetTtl().AsDuration(),
			// GET is safe (RFC 9110, section 9.2.1).
			ReadOnly: schema.ReadOnly(r.Descriptor) || r.Method == http.MethodGet,
			Headers:  r.headerNames(), Accept: r.accepted,
		})(handler)
	}

	if config.Compress != nil && !r.ServerStream && !r.isFile() {
		handler = config.Compress(handler)
	}

	if r.Policy.Cache != nil && config.Cache != nil {
		handler = config.Cache.Route(r.cacheRule(config))(handler)
	}

	return handler
}

// cacheRule is how responses of the route are cached and shared.
func (r *Route) cacheRule(config Config) cache.Rule {
	rule := cache.Rule{
		RPC: r.RPC, Cache: CachePolicy(r.Policy, config.Settings), Timeout: r.Policy.Effective.GetTimeout().AsDuration(),
		Ignore: r.binding.Ignores, Normalize: r.binding.NormalizeFields,
		Vary: config.Vary, Accept: r.accepted, Headers: r.headerNames(),
		Public: config.Settings.Auth.Disabled || r.Policy.Effective.GetAccess().GetPublic(),
	}
	if forwards := config.ForwardsAuthorization; forwards != nil {
		rule.Authorization = forwards(r.Descriptor.Parent().FullName())
	}

	return rule
}

// CachePolicy is how responses are cached with these settings. There must be such a policy.
func CachePolicy(p policy.Policy, settings config.Config) policy.Cache {
	cached := *p.Cache
	if settings.Cache.Disabled {
		cached.TTL, cached.StaleWhileRevalidate, cached.StaleIfError = 0, 0, 0
	}

	return cached
}

// headerNames are the headers that set fields of the request message.
func (r *Route) headerNames() []string {
	names := make([]string, 0, len(r.Policy.Headers))
	for _, h := range r.Policy.Headers {
		names = append(names, h.Name)
	}

	return names
}

// streamed is how responses of the route are streamed.
func (r *Route) streamed(config Config) stream.Config {
	declared := r.Policy.Effective.GetStream()
	return stream.Config{
		IdleTimeout: declared.GetIdleTimeout().AsDuration(), Heartbeat: declared.GetHeartbeat().AsDuration(),
		EventID: r.Policy.EventID, Bidirectional: r.ClientStream, File: r.isFile(), Codec: r.writesJSON, Explain: explain,
		Draining: config.Draining,
	}
}

// isFile reports whether the response is bytes of any type.
func (r *Route) isFile() bool { return r.Descriptor.Output().FullName() == "google.api.HttpBody" }

// writesJSON reports whether the gateway's codec writes the response to a request, and not a marshaler of an embedding program.
func (r *Route) writesJSON(req *http.Request) bool {
	_, outbound := runtime.MarshalerForRequest(r.mux, req)
	_, ours := outbound.(*protojson.Codec)

	return ours
}

// sendsEvents reports whether the response is events, and the request may be that of an EventSource, which only uses GET.
func (r *Route) sendsEvents(req *http.Request) bool {
	return r.ServerStream && req.Method == http.MethodGet && !reqinfo.From(req.Context()).Head &&
		!r.isFile() && r.writesJSON(req) && stream.SendsEvents(req)
}

// accepted is the part of an Accept header that the response depends on: all if an embedding program's marshalers may look at it,
// or else the form of errors.
func (r *Route) accepted(values []string) string {
	switch {
	case !r.writesJSON(&http.Request{Header: http.Header{"Accept": values}}):
		return strings.Join(values, ", ")
	case problem.WantsStatus(values):
		return problem.AcceptStatus
	default:
		return ""
	}
}

// requestCondition is the condition that needs the request message; nil if there is none.
func (r *Route) requestCondition(config Config) *condition.Condition {
	if c := r.Policy.Condition; !config.Settings.Auth.Disabled && c != nil && c.NeedsRequest() {
		return c
	}

	return nil
}

// joinFaults joins errors, if there are any.
func joinFaults(what string, faults []error) error {
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}

	return nil
}
