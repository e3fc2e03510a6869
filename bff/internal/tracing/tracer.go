package tracing

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// scope is the name by which the spans of the gateway are known among those of a process.
const scope = "github.com/portico-gateway/portico"

// Tracer decides which requests are traced, and starts their spans. It is safe for concurrent use. A nil one traces nothing.
type Tracer struct {
	tracer trace.Tracer
	ratio  float64
	// own reports that the Tracer decides, and not a sampler of the provider.
	own bool
	// options are those of the span of a request.
	options []trace.SpanStartOption
}

// New returns a Tracer over the provider of an embedding program, whose sampler decides about requests that belong to no trace yet,
// and about those of a trace as it says itself ("parent-based"). ratio is the part of the requests that is sampled where the trace
// of the caller is not to be believed about that.
func New(provider trace.TracerProvider, ratio float64) *Tracer {
	return &Tracer{
		tracer: provider.Tracer(scope, trace.WithSchemaURL(SchemaURL)), ratio: ratio,
		options: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)},
	}
}

// NewOwn returns a Tracer that samples this part of the requests itself, so that the others cost next to nothing. The provider must
// record all that it is given.
func NewOwn(provider trace.TracerProvider, ratio float64) *Tracer {
	t := New(provider, ratio)
	t.own = true

	return t
}

// Begin begins the trace of a request that has arrived now, or continues that of the caller. It returns the context of the
// request, which carries its span if the request is sampled.
//
// The trace of the caller is that of a span in the context, if an embedding program has started one, or that in the header. What
// the header says about sampling counts only if it is believed: anyone could have all of their requests recorded otherwise, or
// hide. Nor does the decision depend on the trace id then, which is chosen by the caller as well.
func (t *Tracer) Begin(r *http.Request, believed bool) (context.Context, reqinfo.Trace) {
	ctx := r.Context()
	parent, state := FromHeader(r.Header)

	if t == nil {
		if parent == "" {
			return ctx, reqinfo.Trace{}
		}

		return ctx, reqinfo.Trace{TraceID: parent[traceStart:traceEnd]}
	}

	caller := trace.SpanContextFromContext(ctx)
	if !caller.IsValid() && parent != "" {
		if caller = remote(parent, state); !believed {
			caller = caller.WithTraceFlags(caller.TraceFlags().WithSampled(t.chance()))
		}
	}

	if t.own && !caller.IsSampled() && (caller.IsValid() || !t.chance()) {
		return ctx, traceOf(unrecorded(caller), false)
	}

	below := ctx
	if caller.IsRemote() {
		below = trace.ContextWithRemoteSpanContext(ctx, caller)
	}

	_, span := t.tracer.Start(below, r.Method, t.options...)

	switch sc := span.SpanContext(); {
	case !sc.IsValid():
		// A provider that traces nothing.
		return ctx, reqinfo.Trace{}
	case span.IsRecording():
		return (&Span{span: span, tracer: t.tracer}).in(ctx), traceOf(sc, true)
	default:
		return ctx, traceOf(sc, false)
	}
}

// chance reports true for the part of the requests that is sampled.
func (t *Tracer) chance() bool { return rand.Float64() < t.ratio } //nolint:gosec // Not a secret.

// unrecorded is the span of a request that is not recorded, in the trace of the caller or in one of its own.
func unrecorded(caller trace.SpanContext) trace.SpanContext {
	if !caller.IsValid() {
		caller = trace.NewSpanContext(trace.SpanContextConfig{TraceID: newTraceID()})
	}

	return caller.WithSpanID(newSpanID())
}

func traceOf(sc trace.SpanContext, sampled bool) reqinfo.Trace {
	parent := formatParent(sc)

	return reqinfo.Trace{
		TraceID: parent[traceStart:traceEnd], TraceParent: parent, TraceState: sc.TraceState().String(), Sampled: sampled,
	}
}

// remote is the span of a traceparent, which is valid. A tracestate that is not is left out.
func remote(parent, state string) trace.SpanContext {
	var config trace.SpanContextConfig

	// What parseParent accepts has no errors.
	config.TraceID, _ = trace.TraceIDFromHex(parent[traceStart:traceEnd])
	config.SpanID, _ = trace.SpanIDFromHex(parent[spanStart:spanEnd])
	config.TraceFlags = trace.TraceFlags(hexByte(parent[flagsStart:flagsEnd]))
	config.Remote = true

	if state != "" {
		config.TraceState, _ = trace.ParseTraceState(state)
	}

	return trace.NewSpanContext(config)
}

// hexByte is the value of two hexadecimal digits.
func hexByte(text string) byte {
	var value byte

	for i := range len(text) {
		digit := text[i] - '0'
		if text[i] >= 'a' {
			digit = text[i] - 'a' + 10
		}

		value = value<<4 | digit
	}

	return value
}

// newTraceID returns a random id, which is never zero. It is no secret.
func newTraceID() (id trace.TraceID) {
	const half = 8

	binary.NativeEndian.PutUint64(id[:half], rand.Uint64()|1) //nolint:gosec // No secret.
	binary.NativeEndian.PutUint64(id[half:], rand.Uint64())   //nolint:gosec // No secret.

	return id
}

// newSpanID is newTraceID for a span.
func newSpanID() (id trace.SpanID) {
	binary.NativeEndian.PutUint64(id[:], rand.Uint64()|1) //nolint:gosec // No secret.

	return id
}
