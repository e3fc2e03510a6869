package headerpolicy

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Bounds of what backends get of a client's headers. Some accept no more than 8 KiB of metadata (grpc-java's default), and a value
// costs something even if it is empty.
const (
	maxBytes  = 8 << 10
	maxValues = 64
)

// Collect records the headers for backends on the request's record: with the client's trace context, unless the gateway traces. A
// request with an invalid value is refused with 400, one with too much with 431 (RFC 6585, section 5).
func (l *List) Collect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := reqinfo.From(r.Context())

		forward, err := l.listed(r.Header)
		if err != nil {
			problem.Write(w, r, problem.From(err), nil)
			return
		}

		// A gateway that traces sends backends a trace context of its own.
		if rec.TraceParent == "" {
			forward = addTrace(forward, r.Header)
		}

		rec.Forward = forward
		next.ServeHTTP(w, r)
	})
}

// Request returns what backends get of a client's headers, by the lower-case names of gRPC metadata: those that are listed, and a
// valid trace context; nil if there are none. A header that the client's Connection names is for this hop alone (RFC 9110, section
// 7.6.1) and does not pass. The values are shared with h. An error is a *problem.Problem and names the header.
func (l *List) Request(h http.Header) (map[string][]string, error) {
	listed, err := l.listed(h)
	if err != nil {
		return nil, err
	}

	return addTrace(listed, h), nil
}

// listed is Request without the trace context.
func (l *List) listed(h http.Header) (map[string][]string, error) {
	var (
		out           map[string][]string
		bytes, values int
	)

	for _, n := range l.request {
		sent := h[n.canonical]
		if len(sent) == 0 || hopByHop(h, n.lower) {
			continue
		}

		for _, value := range sent {
			bytes += len(value)
		}

		if bytes > maxBytes {
			return nil, tooLarge(n)
		}

		passed, err := metadataValues(n, sent)
		if err != nil {
			return nil, err
		}

		if values += len(passed); values > maxValues {
			return nil, tooLarge(n)
		}

		out = with(out, n.lower, passed)
	}

	return out, nil
}

func tooLarge(n name) error {
	return problem.WithStatus(http.StatusRequestHeaderFieldsTooLarge, codes.ResourceExhausted,
		"the header "+n.canonical+" is too large, with those before it").
		Because(reqinfo.ReasonInvalidRequest)
}

// metadataValues returns a header as gRPC metadata: its values as they are, or decoded from base64 if the name says that they are
// bytes.
func metadataValues(n name, sent []string) ([]string, error) {
	if strings.HasSuffix(n.lower, "-bin") {
		values, ok := decoded(sent)
		if !ok {
			return nil, problem.Newf(codes.InvalidArgument, "the header %s is not base64", n.canonical).
				Because(reqinfo.ReasonInvalidRequest)
		}

		return values, nil
	}

	if slices.ContainsFunc(sent, func(value string) bool { return !isValue(value) }) {
		return nil, problem.Newf(codes.InvalidArgument,
			"the header %s has a character that is not printable ASCII", n.canonical).Because(reqinfo.ReasonInvalidRequest)
	}

	return sent, nil
}

// decoded decodes values in base64, padded or not. One field line can have several, with commas between them (gRPC over HTTP2,
// "Binary-Header").
func decoded(sent []string) (values []string, ok bool) {
	for _, line := range sent {
		for value := range strings.SplitSeq(line, ",") {
			value = strings.Trim(value, " \t")
			// Padding is for a whole number of groups (RFC 4648, section 4).
			if len(value)%4 == 0 {
				value = strings.TrimSuffix(strings.TrimSuffix(value, "="), "=")
			}

			bytes, err := base64.RawStdEncoding.DecodeString(value)
			if err != nil {
				return nil, false
			}

			values = append(values, string(bytes))
		}
	}

	return values, true
}

// with adds to a map that may not be there yet.
func with(out map[string][]string, key string, values []string) map[string][]string {
	if out == nil {
		out = make(map[string][]string, 1)
	}

	out[key] = values

	return out
}

// hopByHop reports whether a Connection header names the header, which is in lower case.
func hopByHop(h http.Header, header string) bool { return httpfield.Has(h["Connection"], header) }
