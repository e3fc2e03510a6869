package reqinfo

// Trace is the trace that a request is part of (W3C Trace Context). The zero value: it is part of none that the gateway knows.
type Trace struct {
	// TraceID identifies the trace: 32 hexadecimal digits. It is also set if the gateway does not trace and the client sent one.
	TraceID string
	// TraceParent is the span of the request, in the form of the header traceparent. Backends get it of a request that is not
	// sampled. Empty: the gateway does not trace, and backends get what the client sent.
	TraceParent string
	// TraceState is the header tracestate that goes with it.
	TraceState string
	// Sampled reports that the spans of the request are recorded; its contexts carry them (package tracing).
	Sampled bool
}

// Where the span id is in a traceparent: version-traceid-spanid-flags.
const spanStart, spanEnd = 36, 52

// SpanID is the id of the span of the request: 16 hexadecimal digits. Empty: the gateway does not trace.
func (t *Trace) SpanID() string {
	if len(t.TraceParent) < spanEnd {
		return ""
	}

	return t.TraceParent[spanStart:spanEnd]
}

// Exemplar is the trace id for the exemplars of metrics. Empty: nobody would find the trace.
func (t *Trace) Exemplar() string {
	if !t.Sampled {
		return ""
	}

	return t.TraceID
}
