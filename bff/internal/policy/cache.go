package policy

import (
	"net/http"
	"slices"
	"time"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Cache says how long responses are cached, and for whom.
type Cache struct {
	// TTL is how long a response is fresh. Zero: none is cached, and only requests at the same time share one.
	TTL time.Duration
	// StaleWhileRevalidate and StaleIfError are how long after that it may be given out while there is no other.
	StaleWhileRevalidate, StaleIfError time.Duration
	// Public responses are the same for all callers of a tenant.
	Public bool
	// Tags name what a response is made of.
	Tags []Tag
}

// cache compiles what the method can have of the cache, and removes the rest: as a default it is for other methods.
func (c *compiler) cache() {
	in := c.Effective.GetCache()
	if in == nil {
		return
	}

	c.Cache, c.Invalidates = c.cached(in), c.invalidates(in)

	switch {
	case c.Cache == nil && c.Invalidates == nil:
		c.Effective.Cache = nil
	case c.Cache == nil:
		c.Effective.Cache = &porticov1.Cache{Invalidates: in.GetInvalidates()}
	case c.Invalidates == nil:
		in.Invalidates = nil
	}
}

// cached is nil for methods whose responses cannot be cached or shared.
func (c *compiler) cached(in *porticov1.Cache) *Cache {
	if !keeps(in) {
		return nil
	}

	if fault := c.uncacheable(); fault != "" {
		if keeps(c.own.GetCache()) {
			c.faultf("cache", "%s", fault)
		}

		return nil
	}

	in.Scope = known(c, "cache.scope", in.GetScope(), porticov1.CacheScope_CACHE_SCOPE_PRIVATE, porticov1.CacheScope_name)
	out := &Cache{
		TTL:                  c.optional("cache.ttl", in.GetTtl(), 0).AsDuration(),
		StaleWhileRevalidate: c.optional("cache.stale_while_revalidate", in.GetStaleWhileRevalidate(), 0).AsDuration(),
		StaleIfError:         c.optional("cache.stale_if_error", in.GetStaleIfError(), 0).AsDuration(),
		Public:               in.GetScope() == porticov1.CacheScope_CACHE_SCOPE_PUBLIC,
		Tags:                 c.tags("cache.tags", in.GetTags()),
	}

	if out.TTL == 0 && out.StaleWhileRevalidate+out.StaleIfError > 0 {
		c.faultf("cache", "responses cannot be stale without a ttl")
	}

	if out.Public && c.Condition != nil && c.Condition.NeedsRequest() {
		c.faultf("cache.scope", "the access condition looks at the request, which is not read where a response is shared")
	}

	return out
}

// keeps reports whether the option is about responses, and not only about what a write makes obsolete.
func keeps(in *porticov1.Cache) bool {
	return in != nil && (len(in.GetInvalidates()) == 0 || in.GetTtl() != nil || len(in.GetTags()) > 0)
}

// uncacheable says why responses of the method cannot be cached.
func (c *compiler) uncacheable() string {
	conditions := []string{"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range"}
	conditional := func(h Header) bool { return slices.Contains(conditions, h.Name) }

	switch {
	case c.method.IsStreamingClient() || c.method.IsStreamingServer():
		return "streams cannot have it"
	case !c.readOnly() && c.route.Method != http.MethodGet:
		return "the method has side effects, as far as its idempotency_level says"
	case slices.ContainsFunc(c.Headers, conditional):
		return "the method handles conditional requests itself"
	default:
		return ""
	}
}

func (c *compiler) invalidates(in *porticov1.Cache) []Tag {
	switch {
	case len(in.GetInvalidates()) == 0:
		return nil
	case c.readOnly() || c.method.IsStreamingClient() || c.method.IsStreamingServer():
		if len(c.own.GetCache().GetInvalidates()) > 0 {
			c.faultf("cache.invalidates", "only methods with side effects that do not stream can have it")
		}

		return nil
	default:
		return c.tags("cache.invalidates", in.GetInvalidates())
	}
}

// widened refuses an override that shares what the schema does not.
func (c *compiler) widened(declared, set *porticov1.Cache) {
	const public = porticov1.CacheScope_CACHE_SCOPE_PUBLIC

	if set.GetScope() == public && declared.GetScope() != public {
		c.faultf("cache.scope", "what is the same for all callers is the schema's alone to say")
	}
}
