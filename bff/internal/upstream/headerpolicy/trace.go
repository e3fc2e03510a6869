package headerpolicy

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// addTrace adds the client's trace context.
func addTrace(out map[string][]string, h http.Header) map[string][]string {
	parent, state := tracing.FromHeader(h)
	if parent == "" {
		return out
	}

	out = with(out, tracing.MetadataParent, one(h["Traceparent"], parent))

	if state != "" {
		out[tracing.MetadataState] = one(h["Tracestate"], state)
	}

	return out
}

// one returns a list of the value: what was sent, if that is the same.
func one(sent []string, value string) []string {
	if len(sent) == 1 && sent[0] == value {
		return sent
	}

	return []string{value}
}
