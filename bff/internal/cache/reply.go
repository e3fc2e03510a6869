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
func (v *visit) statusForward(res *result, r role) string {
	text := "portico; fwd=" + v.reason()

	if !v.fetch.known && v.rule.Cache.TTL > 0 {
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
func (v *visit) reason() string {
	switch {
	case v.rule.Cache.TTL == 0 || !v.fetch.known:
		return "bypass"
	case v.control.noCache:
		return "request"
	case v.found.Entry != nil:
		return "stale"
	default:
		return "uri-miss"
	}
}

// deliver answers with what was fetched, or, if that is an error, with what is stale.
func (v *visit) deliver(res *result, r role) {
	if r == follower && res.fault == nil && !res.answer.sharable() {
		v.alone()

		return
	}

	if (res.fault != nil || res.answer.failed()) && v.stale() {
		v.deliverStale(res)

		return
	}

	v.rec.Join(res.work)

	event := Miss
	if r == follower {
		event = Collapsed
	}

	v.note(event)

	if res.fault != nil {
		problem.Write(v.w, v.r, problem.From(res.fault), res.fault)

		return
	}

	v.write(res.answer.named(res.work.ID, v.rec.ID), res.cacheable, v.statusForward(res, r))
}

// deliverStale notes what went wrong: the response does not say.
func (v *visit) deliverStale(res *result) {
	for _, name := range res.work.Upstreams() {
		v.rec.AddUpstream(name)
	}

	status, cause := res.answer.status, res.fault
	if cause == nil {
		_, cause = res.work.Outcome()
	} else {
		status = http.StatusInternalServerError
	}

	v.writeStale(status, cause)
}

// writeStale answers with what was found because there is only an error with this status instead.
func (v *visit) writeStale(status int, cause error) {
	v.note(Stale)

	if cause == nil {
		cause = errors.New("no cause is known")
	}

	v.rec.Fail(codes.OK, fmt.Errorf("answered with what is stale instead of %d: %w", status, cause))
	v.writeEntry(fmt.Sprintf("portico; fwd=stale; fwd-status=%d; detail=stale-if-error", status))
}

// writeEntry answers with what was found.
func (v *visit) writeEntry(status string) {
	v.w.Header()["Age"] = []string{wholeSeconds(v.age())}

	v.write(answer{status: http.StatusOK, header: v.found.Entry.Header, body: v.found.Entry.Body}, true, status)
}

// write answers.
func (v *visit) write(a answer, cacheable bool, status string) {
	header := v.w.Header()
	vary, statuses := header["Vary"], header[headerCacheStatus]

	for name, values := range a.header {
		if name != "Age" || !cacheable {
			header[name] = values
		}
	}

	own := []string{status, strconv.Itoa(len(a.body))}
	header[headerCacheStatus] = joined(statuses, a.header[headerCacheStatus], own[:1:1])

	if cacheable && len(a.header["Cache-Control"]) == 0 {
		header["Cache-Control"] = v.cacheControl()
	}

	v.setVary(header, vary, a.header["Vary"], cacheable)

	if tag := header["Etag"]; a.status == http.StatusOK && len(tag) > 0 && tag[0] != "" &&
		!httpfield.NoneMatch(v.r.Header["If-None-Match"], tag[0]) {
		notModified(v.w)

		return
	}

	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		header["Content-Length"] = own[1:]
	}

	v.w.WriteHeader(a.status)

	if v.r.Method != http.MethodHead && !v.rec.Head {
		// The client may be gone, and then an error is of no use.
		_, _ = v.w.Write(a.body)
	}
}

// cacheControl says public only of what anybody may have who can ask for it.
func (v *visit) cacheControl() []string {
	if v.rule.Public && v.rule.Cache.Public && v.rec.Principal.Tenant == "" {
		return v.public
	}

	return v.private
}

// joined is one list of the values that came before and the last, which is the only one as a rule.
func joined(outer, handlers, last []string) []string {
	if len(outer)+len(handlers) == 0 {
		return last
	}

	return slices.Concat(outer, handlers, last)
}

// setVary says what the answer varies by, by what outer layers say, the handler, and for answers that others keep the route.
func (v *visit) setVary(header http.Header, outer, handlers []string, cacheable bool) {
	var text string

	switch {
	case !cacheable:
		text = oneList(outer, handlers)
	case len(outer) > 0 || len(handlers) > 1:
		text = oneList(outer, handlers, v.vary)
	default:
		text = v.usualVary(strings.Join(handlers, ", "))
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
