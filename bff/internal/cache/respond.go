package cache

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// headerCacheStatus says what a cache did (RFC 9211).
const headerCacheStatus = "Cache-Status"

const (
	statusBypass       = "portico; fwd=bypass" //nolint:gosec // It is no password.
	statusOnlyIfCached = "portico; detail=only-if-cached"
)

// statusHit is for a stored response. The time left is negative if it is stale.
func statusHit(left time.Duration) string {
	return "portico; hit; ttl=" + strconv.FormatInt(int64(math.Floor(left.Seconds())), 10)
}

// statusForward is for a fetched response: why, and what happened to it.
func (l *lookup) statusForward(res *result, r role) string {
	text := "portico; fwd=" + l.reason()

	if !l.fetch.known && l.rule.Cache.TTL > 0 {
		text += "; detail=store-unavailable"
	}

	switch {
	case r == follower:
		text += "; collapsed"
	case res.stored:
		text += "; stored"
	}

	return text
}

// reason is why the store was of no use (RFC 9211, section 2.2).
func (l *lookup) reason() string {
	switch {
	case l.rule.Cache.TTL == 0 || !l.fetch.known:
		return "bypass"
	case l.control.noCache:
		return "request"
	case l.found.Entry != nil:
		return "stale"
	default:
		return "uri-miss"
	}
}

// deliver responds with what was fetched, or, if that is an error, with a stale entry.
func (l *lookup) deliver(res *result, r role) {
	if r == follower && res.fault == nil && !res.response.shareable() {
		l.bypass(l.w, l.r)
		return
	}

	if (res.fault != nil || res.response.unavailable()) && l.mayServeStale() {
		l.deliverStale(res)
		return
	}

	l.rec.Join(res.work)

	event := Miss
	if r == follower {
		event = Collapsed
	}

	l.observe(event)

	if res.fault != nil {
		problem.Write(l.w, l.r, problem.From(res.fault), res.fault)
		return
	}

	l.write(res.response.withRequestID(res.work.ID, l.rec.ID), res.cacheable, l.statusForward(res, r))
}

// deliverStale responds with a stale entry, and records what went wrong, which the response does not say.
func (l *lookup) deliverStale(res *result) {
	l.addUpstreams(res.work)

	status, cause := res.response.status, res.fault
	if cause == nil {
		_, cause = res.work.Outcome()
	} else {
		status = http.StatusInternalServerError
	}

	l.writeStale(status, cause)
}

// writeStale responds with a stale entry instead of an error with this status.
func (l *lookup) writeStale(status int, cause error) {
	l.observe(Stale)

	if cause == nil {
		cause = errors.New("no cause is known")
	}

	l.rec.Fail(codes.OK, fmt.Errorf("served a stale response instead of %d: %w", status, cause))
	l.writeEntry(fmt.Sprintf("portico; fwd=stale; fwd-status=%d; detail=stale-if-error", status))
}

func (l *lookup) writeEntry(status string) {
	l.w.Header()["Age"] = []string{seconds(l.age())}

	l.write(recorded{status: http.StatusOK, header: l.found.Entry.Header, body: l.found.Entry.Body}, true, status)
}

func (l *lookup) write(response recorded, cacheable bool, status string) {
	header := l.w.Header()
	vary, statuses := header["Vary"], header[headerCacheStatus]

	for name, values := range response.header {
		if name != "Age" || !cacheable {
			header[name] = values
		}
	}

	own := []string{status, strconv.Itoa(len(response.body))}
	header[headerCacheStatus] = joined(statuses, response.header[headerCacheStatus], own[:1:1])

	if cacheable && len(response.header["Cache-Control"]) == 0 {
		header["Cache-Control"] = l.cacheControl()
	}

	l.setVary(header, vary, response.header["Vary"], cacheable)

	if tag := header["Etag"]; response.status == http.StatusOK && len(tag) > 0 && tag[0] != "" &&
		!httpfield.NoneMatch(l.r.Header["If-None-Match"], tag[0]) {
		notModified(l.w)
		return
	}

	if response.status != http.StatusNoContent && response.status != http.StatusNotModified {
		header["Content-Length"] = own[1:]
	}

	l.w.WriteHeader(response.status)

	if l.r.Method != http.MethodHead && !l.rec.Head {
		// The client may be gone.
		_, _ = l.w.Write(response.body)
	}
}

// cacheControl says "public" only if anyone who can send the request may have the response.
func (l *lookup) cacheControl() []string {
	if l.rule.Public && l.rule.Cache.Public && l.rec.Principal.Tenant == "" {
		return l.public
	}

	return l.private
}

// joined is one list of the values that came before and the last, which is usually the only one.
func joined(outer, handlers, last []string) []string {
	if len(outer)+len(handlers) == 0 {
		return last
	}

	return slices.Concat(outer, handlers, last)
}

// setVary sets what the response varies by, according to outer layers, the handler, and, if it is cacheable, the route.
func (l *lookup) setVary(header http.Header, outer, handlers []string, cacheable bool) {
	var text string

	switch {
	case !cacheable:
		text = oneList(outer, handlers)
	case len(outer) > 0 || len(handlers) > 1:
		text = oneList(outer, handlers, l.vary)
	default:
		text = l.routeVary(strings.Join(handlers, ", "))
	}

	if text != "" {
		header["Vary"] = []string{text}
	}
}

// routeVary adds what the route varies by to what its handler says.
func (rt *route) routeVary(handlers string) string {
	last := rt.lastVary.Load()
	if last == nil || last.handlers != handlers {
		last = &varyPair{handlers: handlers, joined: oneList([]string{handlers}, rt.vary)}
		rt.lastVary.Store(last)
	}

	return last.joined
}

// oneList joins lists of names to one that has each of them once.
func oneList(lists ...[]string) string {
	var names []string

	for _, list := range lists {
		for name := range httpfield.Elements(list) {
			if !slices.ContainsFunc(names, func(known string) bool { return strings.EqualFold(known, name) }) {
				names = append(names, name)
			}
		}
	}

	return strings.Join(names, ", ")
}

// notModified responds that the client has it already (RFC 9110, section 15.4.5), without what describes the content.
func notModified(w http.ResponseWriter) {
	header := w.Header()

	for name := range header {
		if strings.HasPrefix(name, "Content-") && name != "Content-Location" && name != "Content-Security-Policy" {
			delete(header, name)
		}
	}

	w.WriteHeader(http.StatusNotModified)
}
