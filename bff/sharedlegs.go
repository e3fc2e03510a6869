package bff

import (
	"net/http"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// sharedLegs are the methods of an upstream whose replies legs share, by full method: those with a cache policy, and all without
// side effects, of which identical calls of a caller at the same time are one. The dial options of an embedding program may add
// something to calls that the gateway does not know; then only methods with a policy are shared.
func (c *Compiled) sharedLegs(responses *cache.Cache, upstream string) map[string]leg.Sharer {
	shared := map[string]leg.Sharer{}
	authorization := c.config.Upstreams[upstream].ForwardAuthorization

	if len(c.options.dialOptions[upstream]) == 0 {
		for method := range schema.LinkedMethods() {
			if schema.ReadOnly(method) && !method.IsStreamingClient() && !method.IsStreamingServer() {
				rpc := schema.FullMethod(method)
				shared[rpc] = responses.Method(cache.LegRule{
					Upstream: upstream, RPC: rpc, Reply: method.Output(), Authorization: authorization,
					Timeout: c.config.Server.RequestTimeout,
				})
			}
		}
	}

	for rpc, m := range c.methods {
		if m.Err == nil && m.Policy.Cache != nil && !m.ClientStream && !m.ServerStream &&
			(schema.ReadOnly(m.Descriptor) || c.hasOnlyGet(m.Descriptor)) {
			shared[rpc] = responses.Method(cache.LegRule{
				Upstream: upstream, RPC: rpc, Reply: m.Descriptor.Output(), Cache: gateway.CachePolicy(m.Policy, c.config),
				Authorization: authorization, Timeout: m.Policy.Effective.GetTimeout().AsDuration(),
			})
		}
	}

	return shared
}

// hasOnlyGet reports whether all routes of a method are GET.
func (c *Compiled) hasOnlyGet(method protoreflect.MethodDescriptor) bool {
	return !slices.ContainsFunc(c.routes, func(r gateway.Route) bool {
		return r.Descriptor.FullName() == method.FullName() && r.Method != http.MethodGet
	})
}
