package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// How a client asks for an earlier deadline: in the units of gRPC over HTTP/2 ("Timeout"), or in seconds.
const (
	headerGRPCTimeout    = "Grpc-Timeout"
	headerRequestTimeout = "Request-Timeout"
)

// writeGrace is how long after the deadline an answer about it may take to get out. readGrace keeps the end of reading behind the
// deadline: net/http takes a read that times out for a client that left.
const (
	writeGrace = 5 * time.Second
	readGrace  = 500 * time.Millisecond
)

// deadline ends the request's context when its time is over: the route's, counted from the arrival of the request, or the client's
// if that is shorter. Slow senders and slow readers are held to it as well. What is left of it to answer is kept back here if it is
// reserved, else of each call.
func deadline(timeout time.Duration, reserved bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			end := rec.Start.Add(timeout)

			wish, asked, err := wished(r.Header)
			if err != nil {
				problem.Write(w, r, problem.New(codes.InvalidArgument, err.Error()), nil)

				return
			}

			if earlier := rec.Start.Add(wish); asked && earlier.Before(end) {
				end, rec.ClientDeadline = earlier, true
			}

			// It has had its effect; grpc-gateway would start another timer for it.
			delete(r.Header, headerGRPCTimeout)
			holdTo(end, w, r, rec)

			if reserved {
				end, rec.Reserved = end.Add(-reqinfo.Reserve(time.Until(end))), true
			}

			ctx, cancel := context.WithDeadline(r.Context(), end)
			defer cancel()

			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// holdTo bounds how long the client may take to send its request and to read the answer. Of what has no body there is nothing to
// send, and the end of the answer may be what the edge has set already.
func holdTo(end time.Time, w http.ResponseWriter, r *http.Request, rec *reqinfo.Record) {
	// Neither is supported by every writer; a test's recorder needs no deadline.
	conn := http.NewResponseController(w)

	if r.Body != http.NoBody {
		_ = conn.SetReadDeadline(end.Add(readGrace))
	}

	if by := end.Add(writeGrace); !by.Equal(rec.WriteBy) {
		rec.WriteBy = by
		_ = conn.SetWriteDeadline(by)
	}
}

// wished is the shorter one of the timeouts that a client asks for.
func wished(header http.Header) (wish time.Duration, asked bool, err error) {
	wish = longest

	if len(header[headerGRPCTimeout])+len(header[headerRequestTimeout]) == 0 {
		return wish, false, nil
	}

	for _, field := range []struct {
		name  string
		parse func(string) (time.Duration, error)
	}{
		{headerGRPCTimeout, grpcTimeout},
		{headerRequestTimeout, secondsTimeout},
	} {
		text := header.Get(field.name)
		if text == "" {
			continue
		}

		timeout, err := field.parse(text)
		if err != nil {
			return 0, false, err
		}

		wish, asked = min(wish, timeout), true
	}

	return wish, asked, nil
}

// longest is what a longer timeout counts as; no route lasts as long.
const longest = 24 * time.Hour

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
