// Package tracing has the spans of requests, over the API of OpenTelemetry: which requests are traced, and what spans are called
// and say (the semantic conventions, https://opentelemetry.io/docs/specs/semconv/). It does not know where spans go: package
// observe does.
//
// A request that is not sampled has no spans. Its code is the same: a nil *Span does nothing.
package tracing

import (
	"context"
	"encoding/hex"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// SchemaURL is the version of the semantic conventions.
const SchemaURL = semconv.SchemaURL

// Span is a part of the work for a request that is sampled. Nil: the request is not. It is safe for concurrent use.
type Span struct {
	span   trace.Span
	tracer trace.Tracer
	// attempts are those that were started below it.
	attempts atomic.Int64
}

type spanKey struct{}

// From returns the current span. Nil: there is none, or it is not recorded.
func From(ctx context.Context) *Span {
	if rec, ok := reqinfo.Lookup(ctx); !ok || !rec.Sampled {
		return nil
	}

	s, _ := ctx.Value(spanKey{}).(*Span)

	return s
}

// Start starts a span below the current one, and returns a context in which it is current. The caller ends it. Without a current
// span the results are ctx and nil.
func Start(ctx context.Context, name string) (context.Context, *Span) {
	return From(ctx).start(ctx, name)
}

// Carry returns a context in which the current span of another one is current: for code that sees no other values of it.
func Carry(ctx, from context.Context) context.Context {
	if s := From(from); s != nil {
		return s.in(ctx)
	}

	return ctx
}

func (s *Span) start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, *Span) {
	if s == nil {
		return ctx, nil
	}

	// Whatever has become current for others meanwhile.
	_, span := s.tracer.Start(trace.ContextWithSpan(ctx, s.span), name, options...) //nolint:spancheck // The caller ends it.
	child := &Span{span: span, tracer: s.tracer}

	return child.in(ctx), child //nolint:spancheck // Likewise.
}

// in makes it the current span, also for other users of OpenTelemetry.
func (s *Span) in(ctx context.Context) context.Context {
	return context.WithValue(trace.ContextWithSpan(ctx, s.span), spanKey{}, s)
}

// Text adds an attribute, unless it is empty.
func (s *Span) Text(name, value string) {
	if s != nil && value != "" {
		s.span.SetAttributes(attribute.String(name, value))
	}
}

// Count adds an attribute.
func (s *Span) Count(name string, value int) {
	if s != nil {
		s.span.SetAttributes(attribute.Int(name, value))
	}
}

// Event adds what has happened now, with an attribute.
func (s *Span) Event(event, name, value string) {
	if s != nil {
		s.span.AddEvent(event, trace.WithAttributes(attribute.String(name, value)))
	}
}

// Link links it to the current span of another request that did the work.
func (s *Span) Link(ctx context.Context) {
	if s == nil {
		return
	}

	if other := From(ctx); other != nil {
		s.span.AddLink(trace.Link{SpanContext: other.span.SpanContext()})
	}
}

// Fail marks it as failed: why in one word of a bounded set, and for the reader.
func (s *Span) Fail(kind, description string) {
	if s == nil {
		return
	}

	s.span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	s.span.SetStatus(codes.Error, description)
}

// End ends it. Further calls change nothing.
func (s *Span) End() {
	if s != nil {
		s.span.End()
	}
}

// Headers are the fields of W3C Trace Context by which another process continues the trace below this span. state may be empty.
func (s *Span) Headers() (parent, state string) {
	sc := s.span.SpanContext()

	return formatParent(sc), sc.TraceState().String()
}

// formatParent is a traceparent.
func formatParent(sc trace.SpanContext) string {
	const size = flagsEnd

	var text [size]byte

	copy(text[:], "00-")

	traceID, spanID, flags := sc.TraceID(), sc.SpanID(), [1]byte{byte(sc.TraceFlags())}
	hex.Encode(text[traceStart:traceEnd], traceID[:])
	hex.Encode(text[spanStart:spanEnd], spanID[:])
	hex.Encode(text[flagsStart:flagsEnd], flags[:])

	text[traceEnd], text[spanEnd] = '-', '-'

	return string(text[:])
}
