package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// How a client asks for an earlier deadline: in the units of gRPC over HTTP/2 ("Timeout"), or in seconds.
const (
	headerGRPCTimeout    = "Grpc-Timeout"
	headerRequestTimeout = "Request-Timeout"
)

// writeGrace is how long after the deadline the response may still be written. readGrace lets reading time out after the deadline,
// since net/http treats a read that times out like a client that left.
const (
	writeGrace = 5 * time.Second
	readGrace  = 500 * time.Millisecond
)

// deadline ends the request's context after the timeout of the route, counted from the arrival of the request, or that of the
// client if that is shorter. It applies to slow senders and slow readers as well. The time to write the response is reserved here,
// or else by each call.
func deadline(timeout time.Duration, reserved bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			end := rec.Start.Add(timeout)

			requested, err := requestedTimeout(r.Header)
			if err != nil {
				problem.Write(w, r, invalidf("%s", err), nil)
				return
			}

			if earlier := rec.Start.Add(requested); requested > 0 && earlier.Before(end) {
				end, rec.ClientDeadline = earlier, true
			}

			// Or grpc-gateway would start another timer for it.
			delete(r.Header, headerGRPCTimeout)
			limitConnection(end, w, r, reserved)

			if reserved {
				end, rec.Reserved = end.Add(-reqinfo.Reserve(time.Until(end))), true
			}

			ctx, cancel := reqinfo.WithDeadline(r.Context(), end)
			defer cancel()

			if ctx != r.Context() {
				r = r.WithContext(ctx)
			}

			if r.Body != http.NoBody {
				// The timer has to run while the body is read: net/http takes a read that times out for a client that has left.
				ctx.Done()
			}

			next.ServeHTTP(w, r)
		})
	}
}

// limitConnection sets until when the client may send its request and read the response. A request without a body has been sent.
// The edge has set an end of writing already; an earlier one for a response that is no stream is set when that turns out to be
// large (response.WriteBy), because most are small, and setting it costs.
func limitConnection(end time.Time, w http.ResponseWriter, r *http.Request, single bool) {
	rec := reqinfo.From(r.Context())

	if r.Body != http.NoBody {
		// Not every writer supports it; a test's recorder needs no deadline.
		_ = http.NewResponseController(w).SetReadDeadline(end.Add(readGrace))
	}

	by := end.Add(writeGrace)
	if by.Equal(rec.WriteBy) {
		return
	}

	later := single && by.Before(rec.WriteBy)

	if rec.WriteBy = by; !later {
		_ = http.NewResponseController(w).SetWriteDeadline(by)
	}
}

// longest is the longest timeout that a client can ask for: a longer one is this.
const longest = 24 * time.Hour

// requestedTimeout is the shorter one of the timeouts that a client asks for. Zero: it asks for none.
func requestedTimeout(header http.Header) (timeout time.Duration, err error) {
	if text := header.Get(headerGRPCTimeout); text != "" {
		if timeout, err = grpcTimeout(text); err != nil {
			return 0, err
		}
	}

	if text := header.Get(headerRequestTimeout); text != "" {
		seconds, err := secondsTimeout(text)
		return min(seconds, cmp.Or(timeout, seconds)), err
	}

	return timeout, nil
}

// secondsTimeout reads seconds, with or without a fraction: "2", "0.25".
func secondsTimeout(text string) (time.Duration, error) {
	const maxLength = 12

	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) > maxLength || strings.Trim(text, "0123456789.") != "" || seconds < time.Nanosecond.Seconds() {
		return 0, fmt.Errorf("the header %s must be a number of seconds over 0, such as 2 or 0.25", headerRequestTimeout)
	}

	if seconds >= longest.Seconds() {
		return longest, nil
	}

	return time.Duration(seconds * float64(time.Second)), nil
}

// grpcTimeout reads the gRPC "Timeout" header: 1 to 8 digits and a unit.
func grpcTimeout(text string) (time.Duration, error) {
	const maxDigits = 8

	units := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}

	last := len(text) - 1
	unit, known := units[text[last]]

	n, err := strconv.ParseInt(text[:last], 10, 64)
	if err != nil || !known || last > maxDigits || n < 1 || text[0] == '+' {
		return 0, fmt.Errorf("the header %s must be 1 to %d digits, not all zero, and one of H M S m u n",
			headerGRPCTimeout, maxDigits)
	}

	if n > int64(longest/unit) {
		return longest, nil
	}

	return time.Duration(n) * unit, nil
}
