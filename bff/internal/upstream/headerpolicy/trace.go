package headerpolicy

import (
	"net/http"
	"strings"
)

// The fields of W3C Trace Context, and how much of tracestate is passed on at least, and by us at most (section 3.3.1.5).
const (
	headerTraceParent = "traceparent"
	headerTraceState  = "tracestate"
	maxTraceState     = 512
)

// addTrace adds the client's trace context. An invalid traceparent is dropped, and tracestate with it; an invalid tracestate is
// dropped alone (W3C Trace Context, sections 3.2.2.5 and 3.3.1).
func addTrace(out map[string][]string, h http.Header) map[string][]string {
	sent := h["Traceparent"]
	if len(sent) != 1 {
		return out
	}

	parent, ok := traceParent(sent[0])
	if !ok || hopByHop(h, headerTraceParent) {
		return out
	}

	if parent != sent[0] {
		sent = []string{parent}
	}

	out = with(out, headerTraceParent, sent)

	if states := h["Tracestate"]; len(states) > 0 && !hopByHop(h, headerTraceState) {
		if joined, ok := traceState(states); ok {
			out[headerTraceState] = []string{joined}
		}
	}

	return out
}

// traceState joins the fields, which are one list (section 3.3.1.1). It may not be longer than 512 bytes, and must be printable.
func traceState(fields []string) (string, bool) {
	size := len(fields) - 1
	for _, field := range fields {
		size += len(field)
	}

	if size > maxTraceState {
		return "", false
	}

	joined := strings.Join(fields, ",")

	return joined, strings.Trim(joined, " ,") != "" && isValue(joined)
}

// Where the parts of a traceparent are: version-traceid-parentid-flags.
const (
	traceStart, traceEnd   = 3, 35
	parentStart, parentEnd = 36, 52
	flagsStart, flagsEnd   = 53, 55
)

// traceParent returns the value to pass on, and whether there is one. A version above 00 is reduced to version 00 (section 3.2.4).
func traceParent(value string) (string, bool) {
	if len(value) < flagsEnd || value[traceStart-1] != '-' || value[traceEnd] != '-' || value[parentEnd] != '-' {
		return "", false
	}

	version, trace, parent, flags := value[:traceStart-1], value[traceStart:traceEnd], value[parentStart:parentEnd],
		value[flagsStart:flagsEnd]
	if !lowerHex(version) || !validID(trace) || !validID(parent) || !lowerHex(flags) || version == "ff" {
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

	return "00-" + trace + "-" + parent + "-" + sampled, true
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
