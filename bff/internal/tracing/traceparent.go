package tracing

import (
	"net/http"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

// The fields of W3C Trace Context, as HTTP headers and as gRPC metadata, and how much of tracestate is passed on at least, and by
// us at most (section 3.3.1.5).
const (
	headerParent = "Traceparent"
	headerState  = "Tracestate"

	// MetadataParent and MetadataState are the names of metadata.
	MetadataParent = "traceparent"
	MetadataState  = "tracestate"

	maxState = 512
)

// FromHeader returns the trace context of a client. An invalid traceparent is dropped, and tracestate with it; an invalid
// tracestate is dropped alone (W3C Trace Context, sections 3.2.2.5 and 3.3.1). A field that Connection names is for this hop alone
// (RFC 9110, section 7.6.1) and is dropped as well. Empty: there is none.
func FromHeader(h http.Header) (parent, state string) {
	sent := h[headerParent]
	if len(sent) != 1 {
		return "", ""
	}

	parent, ok := parseParent(sent[0])
	if !ok || httpfield.Has(h["Connection"], MetadataParent) {
		return "", ""
	}

	if states := h[headerState]; len(states) > 0 && !httpfield.Has(h["Connection"], MetadataState) {
		state = joinState(states)
	}

	return parent, state
}

// joinState joins the fields, which are one list (section 3.3.1.1). It may not be longer than 512 bytes, and must be printable;
// otherwise the result is empty.
func joinState(fields []string) string {
	size := len(fields) - 1
	for _, field := range fields {
		size += len(field)
	}

	if size > maxState {
		return ""
	}

	joined := strings.Join(fields, ",")
	if strings.Trim(joined, " ,") == "" || strings.ContainsFunc(joined, func(c rune) bool { return c < ' ' || c > '~' }) {
		return ""
	}

	return joined
}

// Where the parts of a traceparent are: version-traceid-parentid-flags.
const (
	traceStart, traceEnd = 3, 35
	spanStart, spanEnd   = 36, 52
	flagsStart, flagsEnd = 53, 55
)

// parseParent returns the value to pass on, and whether there is one. A version above 00 is reduced to version 00 (section 3.2.4).
func parseParent(value string) (string, bool) {
	if len(value) < flagsEnd || value[traceStart-1] != '-' || value[traceEnd] != '-' || value[spanEnd] != '-' {
		return "", false
	}

	version, trace, span, flags := value[:traceStart-1], value[traceStart:traceEnd], value[spanStart:spanEnd],
		value[flagsStart:flagsEnd]
	if !lowerHex(version) || !validID(trace) || !validID(span) || !lowerHex(flags) || version == "ff" {
		return "", false
	}

	if version == "00" {
		return value, len(value) == flagsEnd
	}

	if len(value) > flagsEnd && value[flagsEnd] != '-' {
		return "", false
	}

	// Of a later version's flags only the lowest is known: sampled.
	sampled := "00"
	if strings.IndexByte("13579bdf", flags[1]) >= 0 {
		sampled = "01"
	}

	return "00-" + trace + "-" + span + "-" + sampled, true
}

// validID reports whether an id is in lower-case hexadecimal and not all zeros.
func validID(id string) bool { return lowerHex(id) && strings.Trim(id, "0") != "" }

func lowerHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}

	return true
}
