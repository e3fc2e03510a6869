package cache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// route is a handler whose responses are shared.
type route struct {
	cache *Cache
	rule  Rule
	next  http.Handler

	// refreshes has a slot for each refresh that may run.
	refreshes chan struct{}
	// tagged reports that a write can make responses obsolete.
	tagged bool
	// life is how long responses are stored.
	life time.Duration
	// fields are the bound headers that a fetch gets, in canonical form.
	fields []string
	// vary are the names in the Vary of responses. private and public are their Cache-Control.
	vary            []string
	private, public []string
	// lastVary caches the last result of routeVary.
	lastVary atomic.Pointer[varyPair]
}

// varyPair is the Vary of a handler, and what the route makes of it. Almost all responses of a route have the same.
type varyPair struct{ handlers, joined string }

func newRoute(cache *Cache, rule Rule, next http.Handler) *route {
	c := rule.Cache
	rt := &route{
		cache: cache, rule: rule, next: next, refreshes: make(chan struct{}, maxRefreshes),
		tagged: len(c.Tags) > 0, life: c.TTL + max(c.StaleWhileRevalidate, c.StaleIfError),
		fields: canonical(rule.Headers),
		// Even a public response may depend on credentials: they determine the tenant.
		vary: canonical([]string{headerAccept, headerAcceptEncoding, "Authorization"}, rule.Headers, rule.Vary),
	}

	directives := rt.directives()
	rt.private, rt.public = []string{"private, " + directives}, []string{"public, " + directives}

	return rt
}

// directives are for caches between here and the client (RFC 9111, section 5.2.2; RFC 5861). They must revalidate each time what a
// write can make obsolete, since they are not notified; the entity tag makes that cheap.
func (rt *route) directives() string {
	if rt.tagged {
		return noCache
	}

	c := rt.rule.Cache
	text := "max-age=" + seconds(c.TTL)

	if c.StaleWhileRevalidate > 0 {
		text += ", stale-while-revalidate=" + seconds(c.StaleWhileRevalidate)
	}

	if c.StaleIfError > 0 {
		text += ", stale-if-error=" + seconds(c.StaleIfError)
	}

	return text
}

func (rt *route) observe(event Event) { rt.cache.observe(rt.rule.RPC, event) }

// usesStore reports whether the store matters: responses are stored, or can be invalidated.
func (rt *route) usesStore() bool { return rt.rule.Cache.TTL > 0 || rt.tagged }

// canonical returns names of headers in canonical form, each once, in alphabetical order.
func canonical(lists ...[]string) []string {
	all := slices.Concat(lists...)
	names := make([]string, 0, len(all))

	for _, name := range all {
		names = append(names, http.CanonicalHeaderKey(strings.TrimSpace(name)))
	}

	slices.Sort(names)

	return slices.Compact(names)
}

// seconds rounds down: others are never told a longer time than is meant.
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
