package cache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// route is a handler whose responses are shared.
type route struct {
	sharing

	rule Rule
	next http.Handler
	// fields are the bound headers that a fetch gets, in canonical form.
	fields []string
	// vary are the names in the Vary of responses. private, session and public are their Cache-Control.
	vary                     []string
	private, session, public []string
	// lastVary caches the last result of routeVary.
	lastVary atomic.Pointer[varyPair]
}

// varyPair is the Vary of a handler, and what the route makes of it. Almost all responses of a route have the same.
type varyPair struct {
	handlers string
	joined   []string
}

func newRoute(cache *Cache, rule Rule, next http.Handler) *route {
	rt := &route{
		sharing: newSharing(cache, rule.RPC, rule.Cache, rule.Authorization, rule.Timeout), rule: rule, next: next,
		fields: canonical(rule.Headers),
		// Even a public response may depend on credentials: they determine the tenant.
		vary: canonical([]string{headerAccept, headerAcceptEncoding, "Authorization"}, rule.Headers, rule.Vary),
	}

	directives := rt.directives()
	rt.private, rt.public = []string{"private, " + directives}, []string{"public, " + directives}
	rt.session = []string{"private, " + noCache}

	return rt
}

// directives are for caches between here and the client (RFC 9111, section 5.2.2; RFC 5861). They must revalidate each time what a
// write can make obsolete, since they are not notified; the entity tag makes that cheap.
func (rt *route) directives() string {
	if rt.tagged {
		return noCache
	}

	c := rt.policy
	text := "max-age=" + seconds(c.TTL)

	if c.StaleWhileRevalidate > 0 {
		text += ", stale-while-revalidate=" + seconds(c.StaleWhileRevalidate)
	}

	if c.StaleIfError > 0 {
		text += ", stale-if-error=" + seconds(c.StaleIfError)
	}

	return text
}

// exchange is a client's request to a route.
type exchange struct {
	lookup

	route   *route
	w       http.ResponseWriter
	r       *http.Request
	request request
	// values are those of fields of the response.
	values struct{ age, status, length [1]string }
}

func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := rt.cache.calls.now()

	query, ok := canonicalQuery(r.URL.RawQuery, rt.rule.Ignore, rt.rule.Normalize)
	if !ok {
		rt.observe(Bypass)
		rt.bypass(w, r)

		return
	}

	body, ok := problem.ReadBody(w, r)
	if !ok {
		return
	}

	e := &exchange{route: rt, w: w, r: r, request: rt.newRequest(r, query, body)}
	rec := reqinfo.From(r.Context())
	e.lookup = lookup{
		sharing: &rt.sharing, fetcher: e, ctx: r.Context(), rec: rec, arrived: arrived, grace: resultGrace,
		key: rt.key(&e.request, rec), control: rt.controlOf(rec, r.Header),
	}
	e.respond(e.serve())
}

// bypass passes the request on to the handler. Its body can be read again.
func (rt *route) bypass(w http.ResponseWriter, r *http.Request) {
	w.Header().Add(headerCacheStatus, statusBypass)
	rt.next.ServeHTTP(w, r)
}

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
