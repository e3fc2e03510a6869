package problem

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// MediaTypeEvents is that of Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
const MediaTypeEvents = "text/event-stream"

// ContentTypeEvents is the Content-Type that they are sent with. They are always UTF-8, but clients that take text without a
// charset for ISO 8859-1 (RFC 2616, section 3.7.1) have to be told so.
const ContentTypeEvents = MediaTypeEvents + "; charset=utf-8"

// When clients of event streams connect again. Each one waits for a time of its own, so that those of a gateway that stops, or
// crashes, do not come back at once.
const (
	minReconnect = time.Second
	maxSpread    = 10 * time.Second
)

// Temporary reports whether the same request may succeed later: the caller was limited, or the gateway or a backend was overloaded,
// not available or too slow.
func (p *Problem) Temporary() bool {
	return p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable ||
		p.Status == http.StatusGatewayTimeout
}

// AppendEvent writes the problem as the last event of a stream: of the type "error" if it is final, "reconnect" if it is temporary.
func (p *Problem) AppendEvent(out []byte, r *http.Request) []byte {
	if p.Temporary() {
		out = AppendRetry(append(out, "event: reconnect\n"...), p.RetryAfter)
	} else {
		out = append(out, "event: error\n"...)
	}

	return append(append(append(out, "data: "...), p.Document(r)...), "\n\n"...)
}

// AppendRetry writes the field that sets how long an EventSource waits before it connects again, in milliseconds: at least the
// given time and a second, and at random up to twice that, but at most ten seconds more.
func AppendRetry(out []byte, after time.Duration) []byte {
	after = max(after, minReconnect)
	after += rand.N(min(after, maxSpread)) //nolint:gosec // It spreads load and is no secret.

	return fmt.Appendf(out, "retry: %d\n", after.Milliseconds())
}

// eventsWanted reports whether the client is likely an EventSource, which never connects again after a status other than 200. Of a
// request that no route was found for yet, only what an EventSource itself sends is.
func eventsWanted(r *http.Request, rec *reqinfo.Record) bool {
	if rec.Template != "" {
		return rec.EventStream
	}

	return r.Method == http.MethodGet && slices.Equal(r.Header.Values("Accept"), []string{MediaTypeEvents})
}

// writeEvent answers with an event stream whose one event is the problem. The log and metrics get the problem's own status.
func (p *Problem) writeEvent(w http.ResponseWriter, r *http.Request, rec *reqinfo.Record) {
	rec.Status = p.Status

	header := w.Header()
	header.Set("Content-Type", ContentTypeEvents)
	header.Add("Vary", "Accept")

	if r.ProtoMajor == 1 {
		// The next try had better reach another gateway.
		header.Set("Connection", "close")
	}

	if rec.Template == "" {
		// An EventSource does not read them, and the description has none in streams of routes without a limit of their own.
		header.Del("RateLimit")
		header.Del("RateLimit-Policy")
	}

	w.WriteHeader(http.StatusOK)
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(p.AppendEvent(nil, r)) //nolint:gosec // A browser does not take the media type for HTML.
}
