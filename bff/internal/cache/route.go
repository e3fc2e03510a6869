package cache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// route is a handler whose answers are shared.
type route struct {
	cache *Cache
	rule  Rule
	next  http.Handler

	// refreshes has room for those that may run.
	refreshes chan struct{}
	// tagged reports that a write can make answers obsolete.
	tagged bool
	// life is how long answers are of use.
	life time.Duration
	// fields are those of a request's header that a fetch gets, as net/http spells them.
	fields []string
	// vary are the names that the answers' Vary has. private and public are their Cache-Control.
	vary            []string
	private, public []string
	// varied is the Vary of the answer before. Nil: there was none.
	varied atomic.Pointer[varied]
}

// varied is what the Vary of a handler's answer becomes. Almost all answers of a route have the same.
type varied struct{ of, becomes string }

func newRoute(c *Cache, rule Rule, next http.Handler) *route {
	kept := rule.Cache
	rt := &route{
		cache: c, rule: rule, next: next, refreshes: make(chan struct{}, maxRefreshes),
		tagged: len(kept.Tags) > 0, life: kept.TTL + max(kept.StaleWhileRevalidate, kept.StaleIfError),
		fields: canonical(rule.Headers),
		// Whether an answer is for all or not, credentials may make another of it: they tell the tenant.
		vary: canonical([]string{headerAccept, headerAcceptEncoding, "Authorization"}, rule.Headers, rule.Vary),
	}

	directives := rt.directives()
	rt.private, rt.public = []string{"private, " + directives}, []string{"public, " + directives}

	return rt
}

// directives are what caches between here and the client are told (RFC 9111, section 5.2.2; RFC 5861). What a write can make
// obsolete they must ask about each time, since they are not notified; the entity tag makes that cheap.
func (rt *route) directives() string {
	if rt.tagged {
		return noCache
	}

	kept := rt.rule.Cache
	text := "max-age=" + wholeSeconds(kept.TTL)

	if kept.StaleWhileRevalidate > 0 {
		text += ", stale-while-revalidate=" + wholeSeconds(kept.StaleWhileRevalidate)
	}

	if kept.StaleIfError > 0 {
		text += ", stale-if-error=" + wholeSeconds(kept.StaleIfError)
	}

	return text
}

func (rt *route) note(event Event) { rt.cache.observe(rt.rule.RPC, event) }

// looks reports whether the store has something to say: what it keeps, or what was invalidated.
func (rt *route) looks() bool { return rt.rule.Cache.TTL > 0 || rt.tagged }

// canonical are the names of headers as net/http spells them, each once, in alphabetical order.
func canonical(lists ...[]string) []string {
	all := slices.Concat(lists...)
	names := make([]string, 0, len(all))

	for _, name := range all {
		names = append(names, http.CanonicalHeaderKey(strings.TrimSpace(name)))
	}

	slices.Sort(names)

	return slices.Compact(names)
}

// wholeSeconds rounds down: what is said to others is never longer than what is meant.
func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
