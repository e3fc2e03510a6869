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
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// headerCacheStatus says what a cache did (RFC 9211).
const headerCacheStatus = "Cache-Status"

const (
	statusBypass       = "portico; fwd=bypass" //nolint:gosec // It is no password.
	statusOnlyIfCached = "portico; detail=only-if-cached"
)

// statusHit is for a stored response of this age. Its time to live is negative if it is stale.
func (e *exchange) statusHit(age time.Duration, detail string) string {
	const inlineCapacity = 64 // Bytes. More cost an allocation.

	text := append(make([]byte, 0, inlineCapacity), "portico; hit; ttl="...)
	text = strconv.AppendInt(text, int64(math.Floor((e.policy.TTL - age).Seconds())), 10)

	return string(append(text, detail...))
}

// statusForward is for a fetched response: why, and what happened to it.
func (e *exchange) statusForward(out outcome) string {
	text := "portico; fwd=" + e.reason()

	if !e.known && e.policy.TTL > 0 {
		text += "; detail=store-unavailable"
	}

	switch {
	case out.event == Collapsed:
		text += "; collapsed"
	case out.result.stored:
		text += "; stored"
	}

	return text
}

// reason is why the store was of no use (RFC 9211, section 2.2).
func (e *exchange) reason() string {
	switch {
	case e.policy.TTL == 0 || !e.known:
		return "bypass"
	case e.control.noCache:
		return "request"
	case e.found.Entry != nil:
		return "stale"
	default:
		return "uri-miss"
	}
}

// respond sends what the request gets.
func (e *exchange) respond(out outcome) {
	switch {
	case out.event == Bypass:
		e.route.bypass(e.w, e.r)
	case errors.Is(out.err, errOnlyIfCached):
		e.w.Header().Add(headerCacheStatus, statusOnlyIfCached)
		problem.Write(e.w, e.r, problem.WithStatus(http.StatusGatewayTimeout, codes.Unavailable, out.err.Error()).
			Because(reqinfo.ReasonOnlyIfCached), nil)
	case out.err != nil:
		problem.Write(e.w, e.r, problem.From(out.err), out.err)
	case out.instead != 0:
		e.writeEntry(out, fmt.Sprintf("portico; fwd=stale; fwd-status=%d; detail=stale-if-error", out.instead))
	case out.event == Stale:
		e.writeEntry(out, e.statusHit(out.age, "; detail=stale-while-revalidate"))
	case out.event == Hit:
		e.writeEntry(out, e.statusHit(out.age, ""))
	default:
		e.write(out.response.withRequestID(out.result.work.ID, e.rec.ID), out.result.cacheable, e.statusForward(out))
	}
}

func (e *exchange) writeEntry(out outcome, status string) {
	e.values.age[0] = seconds(out.age)
	e.w.Header()["Age"] = e.values.age[:]

	e.write(out.response, true, status)
}

func (e *exchange) write(response recorded, cacheable bool, status string) {
	header := e.w.Header()
	vary, statuses := header["Vary"], header[headerCacheStatus]

	for name, values := range response.header {
		if name != "Age" || !cacheable {
			header[name] = values
		}
	}

	e.values.status[0] = status
	header[headerCacheStatus] = joined(statuses, response.header[headerCacheStatus], e.values.status[:])

	if cacheable && len(response.header["Cache-Control"]) == 0 {
		header["Cache-Control"] = e.cacheControl()
	}

	e.route.setVary(header, vary, response.header["Vary"], cacheable)

	if tag := header["Etag"]; response.status == http.StatusOK && len(tag) > 0 && tag[0] != "" &&
		!httpfield.NoneMatch(e.r.Header["If-None-Match"], tag[0]) {
		notModified(e.w)
		return
	}

	e.send(response.status, response.body)
}

// send sends the response, whose header is complete but for its length.
func (e *exchange) send(status int, body []byte) {
	head := e.r.Method == http.MethodHead || e.rec.Head

	// net/http counts what fits into its buffer, but not what it does not get.
	if (head || len(body) > bufferedSize) && status != http.StatusNoContent && status != http.StatusNotModified {
		e.values.length[0] = strconv.Itoa(len(body))
		e.w.Header()["Content-Length"] = e.values.length[:]
	}

	e.w.WriteHeader(status)

	if !head {
		response.WriteBy(e.w, len(body), e.rec.WriteBy)
		// The client may be gone.
		_, _ = e.w.Write(body)
	}
}

// bufferedSize is how many bytes of a response net/http buffers before it sends its header.
const bufferedSize = 2 << 10

// cacheControl says "public" only if anyone who can send the request may have the response. A browser must not show what it has
// stored of a session once that has ended, which it may not know: it asks each time.
func (e *exchange) cacheControl() []string {
	switch {
	case e.route.rule.Public && e.policy.Public && e.rec.Principal.Tenant == "":
		return e.route.public
	case e.rec.Session:
		return e.route.session
	default:
		return e.route.private
	}
}

// joined is one list of the values that came before and the last, which is usually the only one.
func joined(outer, handlers, last []string) []string {
	if len(outer)+len(handlers) == 0 {
		return last
	}

	return slices.Concat(outer, handlers, last)
}

// setVary sets what the response varies by, according to outer layers, the handler, and, if it is cacheable, the route.
func (rt *route) setVary(header http.Header, outer, handlers []string, cacheable bool) {
	var own []string
	if cacheable {
		own = rt.vary
	}

	if cacheable && len(outer) == 0 && len(handlers) <= 1 {
		header["Vary"] = rt.routeVary(strings.Join(handlers, ""))
	} else if text := oneList(outer, handlers, own); text != "" {
		header["Vary"] = []string{text}
	}
}

// routeVary adds what the route varies by to what its handler says.
func (rt *route) routeVary(handlers string) []string {
	last := rt.lastVary.Load()
	if last == nil || last.handlers != handlers {
		last = &varyPair{handlers: handlers, joined: []string{oneList([]string{handlers}, rt.vary)}}
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
