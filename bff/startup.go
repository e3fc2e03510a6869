package bff

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg/probe"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// warnOfLegs logs the calls of composites that are refused to a caller who meets just the access policy of the route, as far as
// that can be seen: it makes composites for this alone, whose connections call nothing, and runs each method without side effects
// as such a caller. Conditions, and owners that a reply or a field of the request names, cannot be seen. It takes no longer than
// probeTime.
func (c *Compiled) warnOfLegs(ctx context.Context, b backends, logger *slog.Logger) {
	homes := c.options.homes()
	routes := slices.DeleteFunc(slices.Clone(c.routes), func(route gateway.Route) bool {
		return !homes[string(route.Descriptor.Parent().FullName())].composite || !isProbed(route)
	})

	if c.config.Auth.Disabled || len(routes) == 0 {
		return
	}

	ctx, cancel := context.WithTimeout(ctx, probeTime)
	done := make(chan struct{})

	// What composites do here must not keep the gateway from starting, even if it does not end.
	go func() {
		defer close(done)

		composites, err := c.options.probedChannel(c.probedConnect(b))
		if err != nil {
			logger.Warn("the calls of composites are not compared with the access policies of their routes", "error", err)

			return
		}

		var running sync.WaitGroup
		defer running.Wait()

		for _, route := range routes {
			running.Go(func() {
				for _, refused := range refusedLegs(ctx, composites, b.legs, route) {
					logger.Warn("a composite calls what callers of its route may not call", "route", route.String(),
						"leg", reqinfo.Selector(refused.rpc), "requires", refused.requirement, "caller", refused.caller)
				}
			})
		}
	}()

	select {
	case <-done:
	case <-ctx.Done():
	}

	cancel()
}

// probedConnect returns a Connect that knows the upstreams of the gateway.
func (c *Compiled) probedConnect(b backends) Connect {
	return func(name string) (grpc.ClientConnInterface, error) {
		if _, err := c.upstreamOfComposites(b.pool, name); err != nil {
			return nil, err
		}

		return probe.Conn(name), nil
	}
}

// isProbed reports whether a method may be run to see what it calls.
func isProbed(route gateway.Route) bool {
	return schema.ReadOnly(route.Descriptor) && !route.ClientStream && !route.ServerStream && len(route.Policy.Invalidates) == 0
}

// refusedLeg is a call that is refused to a caller.
type refusedLeg struct{ rpc, requirement, caller string }

// same reports whether another caller lacks the same for the same call.
func (f refusedLeg) same(other refusedLeg) bool {
	return f.rpc == other.rpc && f.requirement == other.requirement
}

// refusedLegs runs a method as each of the callers whom its route allows with the least, with and without content in the request.
func refusedLegs(ctx context.Context, composites grpc.ClientConnInterface, guard *leg.Guard, route gateway.Route) []refusedLeg {
	var found []refusedLeg

	request, err := leastRequest(route)
	if err != nil {
		return nil
	}

	filled := proto.Clone(request)
	probe.Fill(filled)

	for _, least := range leastCallers(route) {
		p := probing{composites: composites, route: route, request: request, principal: least.Principal}
		runs := p.all(ctx)
		p.request = filled

		for _, call := range callsOf(append(runs, p.all(ctx)...)) {
			for _, check := range guard.Explain(ctx, &reqinfo.Record{Principal: least.Principal}, call.RPC, call.Requests) {
				refused := refusedLeg{rpc: call.RPC, requirement: check.Name, caller: least.name}
				if check.Fault != nil && !check.Condition && !slices.ContainsFunc(found, refused.same) {
					found = append(found, refused)
				}
			}
		}
	}

	return found
}

// In a probe, the subject of callers, also as the value of the path variable that has to be theirs, and the value of the others.
const (
	probedSubject = "someone"
	probedValue   = "something"
)

// leastRequest is the request message of a method with its path variables alone.
func leastRequest(route gateway.Route) (proto.Message, error) {
	input, err := protoregistry.GlobalTypes.FindMessageByName(route.Descriptor.Input().FullName())
	if err != nil {
		return nil, err
	}

	request := input.New()

	for _, name := range route.Template.Variables() {
		path, err := schema.ResolveVariable(request.Descriptor(), name)
		if err == nil && path.Last().Kind() == protoreflect.StringKind && !path.Last().IsList() {
			value := probedValue
			if name == route.Policy.Effective.GetAccess().GetOwner().GetVariable() {
				value = probedSubject
			}

			path.Holder(request).Set(path.Last(), protoreflect.ValueOfString(value))
		}
	}

	return request.Interface(), nil
}

// leastCaller is a caller whom a route allows, in words for the log as well.
type leastCaller struct {
	reqinfo.Principal

	name string
}

// maxCallers is how many callers a method is run for.
const maxCallers = 16

// leastCallers are those that have no more than the route needs: for each of several scopes or roles that are enough, one.
func leastCallers(route gateway.Route) []leastCaller {
	access := route.Policy.Effective.GetAccess()
	// A fetch for all callers has none.
	if cached := route.Policy.Cache; access.GetPublic() || cached != nil && cached.Public {
		return []leastCaller{{name: "anonymous"}}
	}

	callers := []leastCaller{{
		Principal: reqinfo.Principal{
			Subject: probedSubject,
			Scopes:  slices.Clone(access.GetScopes().GetAllOf()), Roles: slices.Clone(access.GetRoles().GetAllOf()),
		},
	}}

	callers = each(callers, access.GetScopes().GetAnyOf(),
		func(c *leastCaller, scope string) { c.Scopes = append(c.Scopes, scope) })
	callers = each(callers, access.GetRoles().GetAnyOf(),
		func(c *leastCaller, role string) { c.Roles = append(c.Roles, role) })

	for i := range callers {
		callers[i].name = describeCaller(callers[i].Principal, access.GetOwner())
	}

	return callers
}

// each returns each of the callers with each of the names, of which one is enough. Without names they stay as they are.
func each(callers []leastCaller, names []string, add func(c *leastCaller, name string)) []leastCaller {
	if len(names) == 0 {
		return callers
	}

	var all []leastCaller

	for _, caller := range callers {
		for _, name := range names {
			one := caller
			one.Scopes, one.Roles = slices.Clip(one.Scopes), slices.Clip(one.Roles)
			add(&one, name)

			all = append(all, one)
		}
	}

	return all[:min(len(all), maxCallers)]
}

func describeCaller(p reqinfo.Principal, owner *porticov1.Owner) string {
	var parts []string

	if len(p.Scopes) > 0 {
		parts = append(parts, "scopes "+strings.Join(p.Scopes, " "))
	}

	if len(p.Roles) > 0 {
		parts = append(parts, "roles "+strings.Join(p.Roles, " "))
	}

	if owner != nil {
		parts = append(parts, "owner "+owner.GetVariable())
	}

	return cmp.Or(strings.Join(parts, ", "), "authenticated")
}
