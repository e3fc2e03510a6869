package policy

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Method is a method as composites call it: over gRPC, without a path. All its routes have the same access policy, limits and
// timeout.
//
// If neither the method nor its service says who may call a method that has no route, any composite may, for any caller: a default
// for what the options leave out is about clients. An access policy of its service that names what its request does not have allows
// nobody but those that it exempts.
type Method struct {
	// Endpoint is its first route, or only has the RPC.
	Endpoint

	// Variables are the fields of the request that are path variables to the access policy: those that the templates of its routes
	// bind, of all routes together, or, if it has none, the fields of the request itself that have a text.
	Variables []Variable
	// Err is why its policy cannot be enforced. Nil: it can be.
	Err error
}

// Variable is a field by the name that it has as a path variable.
type Variable struct {
	Name  string
	Field schema.FieldPath
}

// Methods are the methods of an API, by RPC.
func (api API) Methods() map[string]*Method {
	methods := make(map[string]*Method, len(api.Endpoints)+len(api.Unrouted))

	for _, e := range slices.Concat(api.Endpoints, api.Unrouted) {
		m := methods[e.RPC]
		if m == nil {
			m = &Method{Endpoint: e}
			methods[e.RPC] = m
		}

		for _, v := range variablesOf(e.Route) {
			if !slices.ContainsFunc(m.Variables, func(known Variable) bool { return known.Name == v.Name }) {
				m.Variables = append(m.Variables, v)
			}
		}
	}

	for _, fault := range api.Faults {
		if m := methods[fault.Route.RPC]; m != nil && m.Err == nil {
			m.Err = fault
		}
	}

	return methods
}

// variablesOf are the fields that are path variables for a call of a composite. Those without a text, such as bytes, are none.
func variablesOf(r schema.Route) []Variable {
	var variables []Variable

	add := func(name string, path schema.FieldPath) {
		if path.HasText() {
			variables = append(variables, Variable{Name: name, Field: path})
		}
	}

	if !r.Bound() {
		for field := range schema.All(r.Descriptor.Input().Fields()) {
			add(string(field.Name()), schema.FieldPath{field})
		}
	}

	for _, name := range r.Template.Variables() {
		// What is wrong with a variable is a fault of the route.
		if path, err := schema.ResolveVariable(r.Descriptor.Input(), name); err == nil {
			add(name, path)
		}
	}

	return variables
}

// inherited reports whether the access policy is that of the service, and the method has no route, so that it may not fit.
func (c *compiler) inherited() bool { return !c.route.Bound() && c.own.GetAccess() == nil }

// withoutHTTP removes what only a method with a route can have: as a default it is for others.
func (c *compiler) withoutHTTP() {
	own, effective := c.own.ProtoReflect(), c.Effective.ProtoReflect()

	for _, row := range Fields() {
		if !row.Routed {
			continue
		}

		field := effective.Descriptor().Fields().ByName(protoreflect.Name(row.Path))
		if own.Has(field) {
			c.faultf(row.Path, "only a method with a route can have it")
		}

		effective.Clear(field)
	}
}

// legLimits removes the limits of a method without a route that its calls take nothing from.
func (c *compiler) legLimits() {
	for i, l := range c.own.GetRateLimits() {
		if !l.GetLegs() {
			c.faultf(fmt.Sprintf("rate_limits[%d]", i), "only composites call a method without a route: set legs")
		}
	}

	c.Effective.RateLimits = slices.DeleteFunc(c.Effective.GetRateLimits(),
		func(l *porticov1.RateLimit) bool { return !l.GetLegs() })
}

// Upstream is the name of the upstream that serves a method, as its service says, or else by its package.
func Upstream(method protoreflect.MethodDescriptor) string {
	service, ok := method.Parent().(protoreflect.ServiceDescriptor)
	if ok && Service(service).GetUpstream() != "" {
		return Service(service).GetUpstream()
	}

	name, _, _ := strings.Cut(string(method.ParentFile().Package()), ".")

	return name
}
