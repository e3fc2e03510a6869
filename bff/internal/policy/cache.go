package policy

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Cache says how long answers are kept, and for whom.
type Cache struct {
	// TTL is how long an answer is fresh. Zero: answers are not kept, and only requests at the same time share one.
	TTL time.Duration
	// StaleWhileRevalidate and StaleIfError are how long after that it may be given out while there is no other.
	StaleWhileRevalidate, StaleIfError time.Duration
	// Public answers are the same for all callers of a tenant.
	Public bool
	// Tags name what an answer is made of.
	Tags []Tag
}

// String prints it as the table of routes does: "cached 30s for each principal".
func (c Cache) String() string {
	switch {
	case c.TTL == 0:
		return "coalesced"
	case c.Public:
		return fmt.Sprintf("cached %s for all", c.TTL)
	default:
		return fmt.Sprintf("cached %s for each principal", c.TTL)
	}
}

// cache is nil for methods that cannot have it; as a default it is for the others.
func (c *compiler) cache(in *porticov1.Cache, headers []Header) *Cache {
	own := c.own.GetCache()

	if in == nil || !keeps(in) {
		return nil
	}

	if fault := c.uncacheable(headers); fault != "" {
		if keeps(own) {
			c.faultf("cache", "%s", fault)
		}

		return nil
	}

	out := &Cache{
		TTL:                  c.optional("cache.ttl", in.GetTtl(), 0),
		StaleWhileRevalidate: c.optional("cache.stale_while_revalidate", in.GetStaleWhileRevalidate(), 0),
		StaleIfError:         c.optional("cache.stale_if_error", in.GetStaleIfError(), 0),
		Public:               in.GetScope() == porticov1.CacheScope_CACHE_SCOPE_PUBLIC,
		Tags:                 c.tags("cache.tags", in.GetTags()),
	}

	if _, known := porticov1.CacheScope_name[int32(in.GetScope())]; !known {
		c.faultf("cache.scope", "%d is unknown to this gateway", in.GetScope())
	}

	if out.TTL == 0 && out.StaleWhileRevalidate+out.StaleIfError > 0 {
		c.faultf("cache", "answers cannot be stale without a ttl")
	}

	return out
}

// keeps tells whether the option is about answers, and not only about what a write makes obsolete.
func keeps(in *porticov1.Cache) bool {
	return in != nil && (len(in.GetInvalidates()) == 0 || in.GetTtl() != nil || len(in.GetTags()) > 0)
}

// uncacheable says why answers of the method cannot be kept.
func (c *compiler) uncacheable(headers []Header) string {
	conditions := []string{"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range"}
	conditional := func(h Header) bool { return slices.Contains(conditions, h.Name) }

	switch {
	case c.method.IsStreamingClient() || c.method.IsStreamingServer():
		return "streams cannot have it"
	case !c.readOnly() && c.route.Method != http.MethodGet:
		return "the method has side effects, as far as its idempotency_level says"
	case slices.ContainsFunc(headers, conditional):
		return "the method answers conditional requests itself"
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

// shared refuses to share what may be for some callers only.
func (c *compiler) shared(p Policy) {
	if p.Cache != nil && p.Cache.Public && p.Access.Condition != nil && p.Access.Condition.NeedsRequest() {
		c.faultf("cache.scope", "the access condition looks at the request, which is not read where an answer is shared")
	}
}
