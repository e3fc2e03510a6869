package policy

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/schema"
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
	// Internal reports whether only composites call the methods, so that no option has to say who may call; see Method.
	Internal bool
}

// Compile makes the policy of a route. The faults are all that is wrong with it, a *Fault each.
func Compile(r schema.Route, defaults Defaults) (Policy, []*Fault) {
	defaults.Internal = defaults.Internal || !r.Bound()
	declared, set := merged(r.Descriptor, defaults)
	c := compiler{
		Policy: Policy{Effective: set}, own: Own(r.Descriptor), route: r, method: r.Descriptor, request: r.Descriptor.Input(),
		internal: defaults.Internal,
	}
	c.widened(declared.GetCache(), set.GetCache())
	c.compile(defaults)

	if len(c.faults) > 0 {
		return Policy{}, c.faults
	}

	return c.Policy, nil
}

// Service returns the options of a service; the zero message if it has none.
func Service(service protoreflect.ServiceDescriptor) *porticov1.ServicePolicy {
	if options, ok := proto.GetExtension(service.Options(), porticov1.E_Service).(*porticov1.ServicePolicy); ok && options != nil {
		return options
	}

	return &porticov1.ServicePolicy{}
}

// Own returns the options of a method, without defaults of any kind. Nil: it has none.
func Own(method protoreflect.MethodDescriptor) *porticov1.MethodPolicy {
	own, _ := proto.GetExtension(method.Options(), porticov1.E_Policy).(*porticov1.MethodPolicy)

	return own
}

// merged is the method's policy with the service's defaults for the fields that it leaves out, the general ones for those that both
// leave out. The second one has the overrides over all of them.
func merged(method protoreflect.MethodDescriptor, defaults Defaults) (declared, set *porticov1.MethodPolicy) {
	out := &porticov1.MethodPolicy{}
	override(out, defaults.Policy)

	if defaults.Internal {
		// It is about clients.
		out.Access = nil
	}

	if service, ok := method.Parent().(protoreflect.ServiceDescriptor); ok {
		override(out, Service(service).GetDefaults())
	}

	override(out, Own(method))

	set = &porticov1.MethodPolicy{}
	override(set, out)

	for _, o := range defaults.Overrides {
		if o.Selects(method.FullName()) {
			override(set, o.Policy)

			for _, field := range o.Cleared {
				set.ProtoReflect().Clear(field)
			}
		}
	}

	// What fields hold is still that of the options.
	return out, proto.CloneOf(set)
}

// override replaces each field that src sets, with all that is in it.
func override(dst, src *porticov1.MethodPolicy) {
	if src == nil {
		return
	}

	src.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		dst.ProtoReflect().Set(field, value)

		return true
	})
}

// compiler completes Effective field by field, and makes the rest of the policy of it.
type compiler struct {
	Policy

	// own are the method's own options.
	own     *porticov1.MethodPolicy
	route   schema.Route
	method  protoreflect.MethodDescriptor
	request protoreflect.MessageDescriptor
	// internal reports whether only composites call the method.
	internal bool
	faults   []*Fault
}

func (c *compiler) compile(defaults Defaults) {
	p := c.Effective

	if c.route.Bound() {
		c.http(defaults)
	} else {
		c.withoutHTTP()
	}

	c.breaker(p.GetBreaker())
	p.Priority = known(c, "priority", p.GetPriority(), porticov1.Priority_PRIORITY_NORMAL, porticov1.Priority_name)
	c.retry()
	c.access(p.GetAccess())
	c.cache()
	c.batch()
	c.rateLimits()

	p.Timeout = c.optional("timeout", p.GetTimeout(), defaults.Timeout)
}

// http completes what is about the HTTP request and response.
func (c *compiler) http(defaults Defaults) {
	p := c.Effective

	c.response()
	c.headers()
	c.stream()
	c.idempotency()
	c.fieldSelection()

	p.AllowUnknownFields = new(p.GetAllowUnknownFields())

	if p.MaxBodyBytes == nil {
		p.MaxBodyBytes = new(defaults.MaxBody)
	}

	if p.GetMaxBodyBytes() < 0 {
		c.faultf("max_body_bytes", "%d is negative", p.GetMaxBodyBytes())
	}
}

// access completes who may call.
func (c *compiler) access(in *porticov1.Access) {
	if in == nil {
		if !c.internal {
			c.faultf("", "%w", ErrNoAccess)
		}

		return
	}

	c.names("access.scopes", "scope", in.GetScopes() != nil, in.GetScopes().GetAnyOf(), in.GetScopes().GetAllOf())
	c.names("access.roles", "role", in.GetRoles() != nil, in.GetRoles().GetAnyOf(), in.GetRoles().GetAllOf())

	c.owner(in.GetOwner())

	if in.GetCondition() != "" {
		c.condition(in.GetCondition())
	}

	restricted := in.GetAuthenticated() || in.GetScopes() != nil || in.GetRoles() != nil || in.GetOwner() != nil
	switch {
	case in.GetPublic() && restricted:
		c.faultf("access", "public goes with a condition only, but there are other requirements")
	case !in.GetPublic() && !restricted && in.GetCondition() == "":
		c.faultf("access", "says nothing; set public, authenticated, scopes, roles, owner or condition")
	}

	in.Authenticated = !in.GetPublic()
}

// owner checks whose resource it must be.
func (c *compiler) owner(in *porticov1.Owner) {
	if in == nil {
		return
	}

	if in.GetUnlessScope() != "" {
		c.name("access.owner.unless_scope", "scope", in.GetUnlessScope())
	}

	variables, where := c.variables()
	if slices.Contains(variables, in.GetVariable()) || c.inherited() {
		return
	}

	c.faultf("access.owner", "the %s %q%s", where, in.GetVariable(), suggestion(hint.DidYouMean(in.GetVariable(), variables)))
}

// condition compiles the access condition.
func (c *compiler) condition(expression string) {
	variables, _ := c.variables()

	compiled, err := condition.Compile(expression, c.request, variables)
	if err != nil && c.inherited() {
		compiled, err = condition.Compile("false", c.request, nil)
	}

	if err != nil {
		c.faultf("access.condition", "%w", err)
	}

	c.Condition = compiled
}

// variables are the names of the path variables, or of what stands for them, and the words for a name that is not among them.
func (c *compiler) variables() (names []string, missing string) {
	if c.route.Bound() {
		return c.route.Template.Variables(), "path has no variable"
	}

	for _, v := range variablesOf(c.route) {
		names = append(names, v.Name)
	}

	return names, "request has no field with a text that is called"
}

// maxDuration keeps arithmetic on durations far from overflow. Nobody limits anything per more than a month.
const maxDuration = 31 * 24 * time.Hour

func (c *compiler) duration(field string, in *durationpb.Duration) {
	if d := in.AsDuration(); !in.IsValid() || d <= 0 || d > maxDuration {
		c.faultf(field, "%s is not between 1ns and %s", d, maxDuration)
	}
}
