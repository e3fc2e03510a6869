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

// ContentTypeEvents is their Content-Type. They are always UTF-8, but some clients read text without a charset as ISO 8859-1 (RFC
// 2616, section 3.7.1).
const ContentTypeEvents = MediaTypeEvents + "; charset=utf-8"

// When clients of event streams reconnect. The time is random, so that the clients of a gateway that has stopped do not reconnect
// at once.
const (
	minReconnect = time.Second
	maxSpread    = 10 * time.Second
)

// Temporary reports whether the same request may succeed later.
func (p *Problem) Temporary() bool {
	return p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable ||
		p.Status == http.StatusGatewayTimeout
}

// AppendEvent appends the problem as the last event of a stream: of the type "error" if it is final, "reconnect" if it is
// temporary.
func (p *Problem) AppendEvent(out []byte, r *http.Request) []byte {
	if p.Temporary() {
		out = AppendRetry(append(out, "event: reconnect\n"...), p.RetryAfter)
	} else {
		out = append(out, "event: error\n"...)
	}

	return append(append(append(out, "data: "...), p.Document(r)...), "\n\n"...)
}

// AppendRetry appends the field that sets how long an EventSource waits before it reconnects: at least the given time and a second,
// plus a random time of up to as much, but ten seconds at most.
func AppendRetry(out []byte, after time.Duration) []byte {
	after = max(after, minReconnect)
	after += rand.N(min(after, maxSpread)) //nolint:gosec // It spreads load and is no secret.

	return fmt.Appendf(out, "retry: %d\n", after.Milliseconds())
}

// eventsWanted reports whether the client is likely an EventSource, which never reconnects after a status other than 200. Before a
// route is found, only the Accept header of an EventSource itself counts.
func eventsWanted(r *http.Request, rec *reqinfo.Record) bool {
	if rec.Template != "" {
		return rec.EventStream
	}

	return r.Method == http.MethodGet && slices.Equal(r.Header.Values("Accept"), []string{MediaTypeEvents})
}

// writeEvent writes an event stream whose one event is the problem. Log and metrics have the problem's own status.
func (p *Problem) writeEvent(w http.ResponseWriter, r *http.Request, rec *reqinfo.Record) {
	rec.Status = p.Status

	header := w.Header()
	header.Set("Content-Type", ContentTypeEvents)
	header.Add("Vary", "Accept")

	if r.ProtoMajor == 1 {
		// The next attempt should reach another gateway.
		header.Set("Connection", "close")
	}

	if rec.Template == "" {
		// The description has none for streams of routes without a limit of their own.
		header.Del("RateLimit")
		header.Del("RateLimit-Policy")
	}

	w.WriteHeader(http.StatusOK)
	// An error means that the client is gone.
	_, _ = w.Write(p.AppendEvent(nil, r)) //nolint:gosec // A browser does not take the media type for HTML.
}
