package bff

import (
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Route is one REST route. Its form in JSON is what `portico routes --output json` prints.
type Route struct {
	// Method is the HTTP method.
	Method string `json:"method"`
	// Path is the path template, "/v1/users/{user_id}".
	Path string `json:"path"`
	// RPC is the full method, "user.v1.UserService/GetUser".
	RPC string `json:"rpc"`
	// Upstream is the name of the backend in the configuration; empty if the service is a composite.
	Upstream string `json:"upstream,omitempty"`
	// Composite tells that the service is implemented inside the gateway.
	Composite bool `json:"composite,omitempty"`
	// Policy describes what is enforced, on one line.
	Policy string `json:"policy"`
	// Rules are the policy in its parts.
	Rules Rules `json:"rules"`
}

// Rules are what a gateway enforces on a route. Durations are as time.ParseDuration reads them.
type Rules struct {
	Access             AccessRules     `json:"access"`
	RateLimits         []RateLimitRule `json:"rate_limits,omitempty"`
	Timeout            string          `json:"timeout"`
	MaxBodyBytes       int64           `json:"max_body_bytes"`
	AllowUnknownFields bool            `json:"allow_unknown_fields,omitempty"`
	// Status is that of success.
	Status int `json:"status"`
	// Location reports whether a successful answer has the header; LocationTemplate is what it is made of, "/v1/orders/{order_id}".
	Location         bool             `json:"location,omitempty"`
	LocationTemplate string           `json:"location_template,omitempty"`
	ResponseHeaders  []string         `json:"response_headers,omitempty"`
	RequestHeaders   []HeaderRule     `json:"request_headers,omitempty"`
	Stream           *StreamRule      `json:"stream,omitempty"`
	Idempotency      *IdempotencyRule `json:"idempotency,omitempty"`
	Retry            *RetryRule       `json:"retry,omitempty"`
	Cache            *CacheRule       `json:"cache,omitempty"`
	// Invalidates are the tags of answers that a call makes obsolete.
	Invalidates []string     `json:"invalidates,omitempty"`
	Breaker     *BreakerRule `json:"breaker,omitempty"`
	// Priority is low, normal or critical.
	Priority string `json:"priority"`
}

// AccessRules say who may call.
type AccessRules struct {
	Public        bool       `json:"public,omitempty"`
	Authenticated bool       `json:"authenticated,omitempty"`
	AnyScope      []string   `json:"any_scope,omitempty"`
	AllScopes     []string   `json:"all_scopes,omitempty"`
	AnyRole       []string   `json:"any_role,omitempty"`
	AllRoles      []string   `json:"all_roles,omitempty"`
	Owner         *OwnerRule `json:"owner,omitempty"`
	Condition     string     `json:"condition,omitempty"`
}

// OwnerRule ties a path variable to the caller.
type OwnerRule struct {
	Variable    string `json:"variable"`
	UnlessScope string `json:"unless_scope,omitempty"`
}

// RateLimitRule is a token bucket, or a quota from midnight to midnight.
type RateLimitRule struct {
	Requests       int64  `json:"requests"`
	Per            string `json:"per"`
	Burst          int64  `json:"burst"`
	Cost           int64  `json:"cost"`
	Key            string `json:"key"`
	Name           string `json:"name,omitempty"`
	Daily          bool   `json:"daily,omitempty"`
	ClosedOnOutage bool   `json:"closed_on_outage,omitempty"`
}

// HeaderRule sets a field of the request from a header.
type HeaderRule struct {
	Header string `json:"header"`
	Field  string `json:"field"`
}

// StreamRule tells which side streams, and how.
type StreamRule struct {
	Request     bool   `json:"request,omitempty"`
	Response    bool   `json:"response,omitempty"`
	EventID     string `json:"event_id,omitempty"`
	IdleTimeout string `json:"idle_timeout,omitempty"`
	Heartbeat   string `json:"heartbeat,omitempty"`
}

// IdempotencyRule is about the header Idempotency-Key.
type IdempotencyRule struct {
	Required bool   `json:"required,omitempty"`
	TTL      string `json:"ttl"`
}

// RetryRule says when a call is made again.
type RetryRule struct {
	MaxAttempts int      `json:"max_attempts"`
	Codes       []string `json:"codes"`
	// InitialBackoff is the pause before the second call, MaxBackoff the longest pause.
	InitialBackoff string `json:"initial_backoff,omitempty"`
	MaxBackoff     string `json:"max_backoff,omitempty"`
	// NeedsKey tells that it is only done for requests with the header Idempotency-Key.
	NeedsKey   bool   `json:"needs_key,omitempty"`
	HedgeAfter string `json:"hedge_after,omitempty"`
}

// CacheRule says how long answers are kept, and for whom.
type CacheRule struct {
	TTL                  string   `json:"ttl"`
	Public               bool     `json:"public,omitempty"`
	StaleWhileRevalidate string   `json:"stale_while_revalidate,omitempty"`
	StaleIfError         string   `json:"stale_if_error,omitempty"`
	Tags                 []string `json:"tags,omitempty"`
}

// BreakerRule is the circuit breaker of the method alone.
type BreakerRule struct {
	FailureRatio float64 `json:"failure_ratio"`
	MinRequests  uint32  `json:"min_requests"`
	Window       string  `json:"window"`
	OpenFor      string  `json:"open_for"`
	// SlowAfter is what makes a call slow; empty: none is. SlowRatio of the calls in the window open it as well.
	SlowAfter string  `json:"slow_after,omitempty"`
	SlowRatio float64 `json:"slow_ratio,omitempty"`
	// Probes must succeed before it closes.
	Probes uint32 `json:"probes"`
}

func (o options) describe(compiled []gateway.Route) []Route {
	routes := make([]Route, 0, len(compiled))

	for _, r := range compiled {
		upstream, composite := o.home(r.Descriptor.Parent().FullName())
		routes = append(routes, Route{
			Method: r.Method, Path: r.Template.String(), RPC: r.RPC[1:], Upstream: upstream, Composite: composite,
			Policy: r.Policy.String(), Rules: rules(r),
		})
	}

	return routes
}

// home is where a service lives: its upstream, or inside the gateway.
func (o options) home(service protoreflect.FullName) (upstream string, composite bool) {
	for _, s := range o.services {
		if s.Name == string(service) {
			if s.Composite {
				return "", true
			}

			return s.Upstream, false
		}
	}

	for _, f := range o.foreign {
		if slices.Contains(f.services, string(service)) {
			return f.upstream, false
		}
	}

	return "", false
}

func rules(r gateway.Route) Rules {
	const ok = 200

	p := r.Policy
	out := Rules{
		Access: accessRules(p.Access), RateLimits: rateLimitRules(p.RateLimits), Timeout: p.Timeout.String(),
		MaxBodyBytes: p.MaxBody, AllowUnknownFields: p.AllowUnknown,
		Status: max(p.Response.Status, ok), Location: p.Response.Location != nil, LocationTemplate: p.Response.LocationTemplate,
		ResponseHeaders: p.Response.Headers,
		Retry:           retryRule(p.Retry), Cache: cacheRule(p.Cache), Invalidates: tagNames(p.Invalidates),
		Priority: p.Priority.String(),
	}

	for _, h := range p.Headers {
		out.RequestHeaders = append(out.RequestHeaders, HeaderRule{Header: h.Name, Field: h.Field.String()})
	}

	if r.ClientStream || r.ServerStream {
		out.Stream = &StreamRule{
			Request: r.ClientStream, Response: r.ServerStream, EventID: p.Stream.EventID.String(),
			IdleTimeout: duration(p.Stream.IdleTimeout), Heartbeat: duration(p.Stream.Heartbeat),
		}
	}

	if i := p.Idempotency; i != nil {
		out.Idempotency = &IdempotencyRule{Required: i.Required, TTL: i.TTL.String()}
	}

	if b := p.Breaker; b != nil {
		out.Breaker = &BreakerRule{
			FailureRatio: b.FailureRatio, MinRequests: b.MinRequests, Window: b.Window.String(), OpenFor: b.OpenFor.String(),
			SlowAfter: duration(b.SlowAfter), SlowRatio: b.SlowRatio, Probes: b.Probes,
		}
	}

	return out
}

func accessRules(a policy.Access) AccessRules {
	out := AccessRules{
		Public: a.Public, Authenticated: !a.Public, AnyScope: a.AnyOf, AllScopes: a.AllOf, AnyRole: a.AnyRole, AllRoles: a.AllRoles,
	}

	if a.Owner != nil {
		out.Owner = &OwnerRule{Variable: a.Owner.Variable, UnlessScope: a.Owner.UnlessScope}
	}

	if a.Condition != nil {
		out.Condition = a.Condition.String()
	}

	return out
}

func rateLimitRules(limits []policy.RateLimit) []RateLimitRule {
	out := make([]RateLimitRule, 0, len(limits))
	for _, l := range limits {
		out = append(out, RateLimitRule{
			Requests: l.Requests, Per: l.Per.String(), Burst: l.Burst, Cost: l.Cost, Key: l.Key.String(), Name: l.Name,
			Daily: l.Daily, ClosedOnOutage: l.ClosedOnOutage,
		})
	}

	return out
}

func retryRule(r *policy.Retry) *RetryRule {
	if r == nil {
		return nil
	}

	out := &RetryRule{
		MaxAttempts: r.MaxAttempts, InitialBackoff: duration(r.InitialBackoff), MaxBackoff: duration(r.MaxBackoff),
		NeedsKey: r.Key != nil, HedgeAfter: duration(r.HedgeAfter),
	}
	out.Codes = codeNames(r.Codes)

	return out
}

func codeNames(list []codes.Code) []string {
	names := make([]string, 0, len(list))
	for _, c := range list {
		names = append(names, problem.CodeName(c))
	}

	return names
}

func cacheRule(c *policy.Cache) *CacheRule {
	if c == nil {
		return nil
	}

	return &CacheRule{
		TTL: c.TTL.String(), Public: c.Public, StaleWhileRevalidate: duration(c.StaleWhileRevalidate),
		StaleIfError: duration(c.StaleIfError), Tags: tagNames(c.Tags),
	}
}

func tagNames(tags []policy.Tag) []string {
	names := make([]string, 0, len(tags))
	for _, t := range tags {
		names = append(names, t.String())
	}

	return names
}

// duration prints one that may be missing.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}

	return d.String()
}
