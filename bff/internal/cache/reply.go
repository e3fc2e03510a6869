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

// statusHit is for what was kept. What is left of its time is negative if it is stale.
func statusHit(left time.Duration) string {
	return "portico; hit; ttl=" + strconv.FormatInt(int64(math.Floor(left.Seconds())), 10)
}

// statusForward is for what was fetched: why, and what became of it.
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

// reason is why the store could not answer (RFC 9211, section 2.2).
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

// deliver answers with what was fetched, or, if that is an error, with what is stale.
func (l *lookup) deliver(res *result, r role) {
	if r == follower && res.fault == nil && !res.answer.sharable() {
		l.alone()

		return
	}

	if (res.fault != nil || res.answer.failed()) && l.stale() {
		l.deliverStale(res)

		return
	}

	l.rec.Join(res.work)

	event := Miss
	if r == follower {
		event = Collapsed
	}

	l.note(event)

	if res.fault != nil {
		problem.Write(l.w, l.r, problem.From(res.fault), res.fault)

		return
	}

	l.write(res.answer.named(res.work.ID, l.rec.ID), res.cacheable, l.statusForward(res, r))
}

// deliverStale notes what went wrong: the response does not say.
func (l *lookup) deliverStale(res *result) {
	for _, name := range res.work.Upstreams() {
		l.rec.AddUpstream(name)
	}

	status, cause := res.answer.status, res.fault
	if cause == nil {
		_, cause = res.work.Outcome()
	} else {
		status = http.StatusInternalServerError
	}

	l.writeStale(status, cause)
}

// writeStale answers with what was found because there is only an error with this status instead.
func (l *lookup) writeStale(status int, cause error) {
	l.note(Stale)

	if cause == nil {
		cause = errors.New("no cause is known")
	}

	l.rec.Fail(codes.OK, fmt.Errorf("answered with what is stale instead of %d: %w", status, cause))
	l.writeEntry(fmt.Sprintf("portico; fwd=stale; fwd-status=%d; detail=stale-if-error", status))
}

// writeEntry answers with what was found.
func (l *lookup) writeEntry(status string) {
	l.w.Header()["Age"] = []string{wholeSeconds(l.age())}

	l.write(answer{status: http.StatusOK, header: l.found.Entry.Header, body: l.found.Entry.Body}, true, status)
}

// write answers.
func (l *lookup) write(a answer, cacheable bool, status string) {
	header := l.w.Header()
	vary, statuses := header["Vary"], header[headerCacheStatus]

	for name, values := range a.header {
		if name != "Age" || !cacheable {
			header[name] = values
		}
	}

	own := []string{status, strconv.Itoa(len(a.body))}
	header[headerCacheStatus] = joined(statuses, a.header[headerCacheStatus], own[:1:1])

	if cacheable && len(a.header["Cache-Control"]) == 0 {
		header["Cache-Control"] = l.cacheControl()
	}

	l.setVary(header, vary, a.header["Vary"], cacheable)

	if tag := header["Etag"]; a.status == http.StatusOK && len(tag) > 0 && tag[0] != "" &&
		!httpfield.NoneMatch(l.r.Header["If-None-Match"], tag[0]) {
		notModified(l.w)

		return
	}

	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		header["Content-Length"] = own[1:]
	}

	l.w.WriteHeader(a.status)

	if l.r.Method != http.MethodHead && !l.rec.Head {
		// The client may be gone, and then an error is of no use.
		_, _ = l.w.Write(a.body)
	}
}

// cacheControl says public only of what anybody may have who can ask for it.
func (l *lookup) cacheControl() []string {
	if l.rule.Public && l.rule.Cache.Public && l.rec.Principal.Tenant == "" {
		return l.public
	}

	return l.private
}

// joined is one list of the values that came before and the last, which is the only one as a rule.
func joined(outer, handlers, last []string) []string {
	if len(outer)+len(handlers) == 0 {
		return last
	}

	return slices.Concat(outer, handlers, last)
}

// setVary says what the answer varies by, by what outer layers say, the handler, and for answers that others keep the route.
func (l *lookup) setVary(header http.Header, outer, handlers []string, cacheable bool) {
	var text string

	switch {
	case !cacheable:
		text = oneList(outer, handlers)
	case len(outer) > 0 || len(handlers) > 1:
		text = oneList(outer, handlers, l.vary)
	default:
		text = l.usualVary(strings.Join(handlers, ", "))
	}

	if text != "" {
		header["Vary"] = []string{text}
	}
}

// usualVary adds what the route varies by to what its handler says.
func (rt *route) usualVary(handlers string) string {
	before := rt.varied.Load()
	if before == nil || before.of != handlers {
		before = &varied{of: handlers, becomes: oneList([]string{handlers}, rt.vary)}
		rt.varied.Store(before)
	}

	return before.becomes
}

// oneList makes one list of lists of names, each in it once.
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

// notModified answers that the client has it already (RFC 9110, section 15.4.5): without what describes the content.
func notModified(w http.ResponseWriter) {
	header := w.Header()

	for name := range header {
		if strings.HasPrefix(name, "Content-") && name != "Content-Location" && name != "Content-Security-Policy" {
			delete(header, name)
		}
	}

	w.WriteHeader(http.StatusNotModified)
}
