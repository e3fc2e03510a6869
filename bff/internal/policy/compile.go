package policy

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/schema/route"
	"github.com/portico-gateway/portico/bff/internal/suggest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Defaults hold where neither a method nor its service says anything.
type Defaults struct {
	Timeout time.Duration
	MaxBody int64
	// Policy is for protos that were written without portico.v1 options; theirs replace its fields. Nil: there is none.
	Policy *porticov1.MethodPolicy
	// Overrides replace fields of all of them, the last that selects a method first.
	Overrides []Override
}

// Compile makes the policy of a route. The faults are all that is wrong with it, a *Fault each.
func Compile(r route.Route, defaults Defaults) (Policy, []*Fault) {
	own, _ := proto.GetExtension(r.Descriptor.Options(), porticov1.E_Policy).(*porticov1.MethodPolicy)
	c := compiler{own: own, route: r, method: r.Descriptor, request: r.Descriptor.Input()}
	declared, set := merged(r.Descriptor, defaults)
	c.widened(declared.GetCache(), set.GetCache())
	p := c.compile(set, defaults)

	if len(c.faults) > 0 {
		return Policy{}, c.faults
	}

	return p, nil
}

// Service returns the options of a service; the zero message if it has none.
func Service(service protoreflect.ServiceDescriptor) *porticov1.ServicePolicy {
	if options, ok := proto.GetExtension(service.Options(), porticov1.E_Service).(*porticov1.ServicePolicy); ok && options != nil {
		return options
	}

	return &porticov1.ServicePolicy{}
}

// merged is the method's policy with the service's defaults for the fields that it leaves out, the general ones for those that both
// leave out. The second one has the overrides over all of them.
func merged(method protoreflect.MethodDescriptor, defaults Defaults) (declared, set *porticov1.MethodPolicy) {
	out := &porticov1.MethodPolicy{}
	override(out, defaults.Policy)

	if service, ok := method.Parent().(protoreflect.ServiceDescriptor); ok {
		override(out, Service(service).GetDefaults())
	}

	if own, ok := proto.GetExtension(method.Options(), porticov1.E_Policy).(*porticov1.MethodPolicy); ok {
		override(out, own)
	}

	set = proto.CloneOf(out)

	for _, o := range defaults.Overrides {
		if o.Selects(method.FullName()) {
			override(set, o.Policy)
		}
	}

	return out, set
}

// override replaces each field that src sets, as a whole.
func override(dst, src *porticov1.MethodPolicy) {
	if src == nil {
		return
	}

	src.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		dst.ProtoReflect().Set(field, value)

		return true
	})
}

type compiler struct {
	// own are the method's own options, without defaults of any kind.
	own     *porticov1.MethodPolicy
	route   route.Route
	method  protoreflect.MethodDescriptor
	request protoreflect.MessageDescriptor
	faults  []*Fault
}

func (c *compiler) compile(in *porticov1.MethodPolicy, defaults Defaults) Policy {
	p := Policy{
		Timeout: defaults.Timeout, MaxBody: defaults.MaxBody, AllowUnknown: in.GetAllowUnknownFields(),
		Response: c.response(in.GetResponse()), Headers: c.headers(in.GetHeaders()), Stream: c.stream(in.GetStream()),
		Idempotency: c.idempotency(in.GetIdempotency()), Breaker: c.breaker(in.GetBreaker()),
		Priority: c.priority(in.GetPriority()),
	}
	p.Retry = c.retry(in.GetRetry(), p.Headers)
	p.Cache, p.Invalidates = c.cache(in.GetCache(), p.Headers), c.invalidates(in.GetCache())

	if in.GetAccess() == nil {
		c.faultf("", "%w", ErrNoAccess)
	} else {
		p.Access = c.access(in.GetAccess())
		c.shared(p)
	}

	for i, l := range in.GetRateLimits() {
		p.RateLimits = append(p.RateLimits, c.rateLimit(fmt.Sprintf("rate_limits[%d]", i), l))
	}

	if in.GetTimeout() != nil {
		p.Timeout = c.duration("timeout", in.GetTimeout())
	}

	if in.MaxBodyBytes != nil {
		p.MaxBody = in.GetMaxBodyBytes()
		if p.MaxBody < 0 {
			c.faultf("max_body_bytes", "%d is negative", p.MaxBody)
		}
	}

	return p
}

func (c *compiler) access(in *porticov1.Access) Access {
	a := Access{
		Public: in.GetPublic(),
		AnyOf:  in.GetScopes().GetAnyOf(), AllOf: in.GetScopes().GetAllOf(),
		AnyRole: in.GetRoles().GetAnyOf(), AllRoles: in.GetRoles().GetAllOf(),
	}

	c.names("access.scopes", "scope", in.GetScopes() != nil, a.AnyOf, a.AllOf)
	c.names("access.roles", "role", in.GetRoles() != nil, a.AnyRole, a.AllRoles)

	if owner := in.GetOwner(); owner != nil {
		a.Owner = &Owner{Variable: owner.GetVariable(), UnlessScope: owner.GetUnlessScope()}
		if owner.GetUnlessScope() != "" {
			c.name("access.owner.unless_scope", "scope", owner.GetUnlessScope())
		}

		if variables := c.route.Template.Variables(); !slices.Contains(variables, owner.GetVariable()) {
			c.faultf("access.owner", "the path has no variable %q%s", owner.GetVariable(),
				hint(suggest.DidYouMean(owner.GetVariable(), variables)))
		}
	}

	if in.GetCondition() != "" {
		compiled, err := condition.Compile(in.GetCondition(), c.request, c.route.Template.Variables())
		if err != nil {
			c.faultf("access.condition", "%w", err)
		}

		a.Condition = compiled
	}

	restricted := in.GetAuthenticated() || in.GetScopes() != nil || in.GetRoles() != nil || in.GetOwner() != nil
	switch {
	case a.Public && restricted:
		c.faultf("access", "public goes with a condition only, but other demands are made")
	case !a.Public && !restricted && in.GetCondition() == "":
		c.faultf("access", "says nothing; set public, authenticated, scopes, roles, owner or condition")
	}

	return a
}

// maxDuration keeps arithmetic on durations far from overflow. Nobody limits anything per more than a month.
const maxDuration = 31 * 24 * time.Hour

func (c *compiler) duration(where string, in *durationpb.Duration) time.Duration {
	d := in.AsDuration()
	if !in.IsValid() || d <= 0 || d > maxDuration {
		c.faultf(where, "%s is not between 1ns and %s", d, maxDuration)
	}

	return d
}

// optional is a duration, or the default where there is none.
func (c *compiler) optional(where string, in *durationpb.Duration, fallback time.Duration) time.Duration {
	if in == nil {
		return fallback
	}

	return c.duration(where, in)
}

// or is the value, or the default for the zero value.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}

	return value
}
