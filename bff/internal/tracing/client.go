package tracing

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// StartCall starts the span of a call to an upstream, with all its attempts. The RPC is the full method.
func StartCall(ctx context.Context, upstream, rpc string) (context.Context, *Span) {
	s := From(ctx)
	if s == nil {
		return ctx, nil
	}

	name := strings.TrimPrefix(rpc, "/")

	return s.start(ctx, "call "+name, trace.WithAttributes(
		semconv.RPCMethod(name), attribute.String(attrUpstream, upstream)))
}

// StartAttempt starts the span of an attempt at the call whose span is current (semantic conventions for RPC client spans).
// Attempts are numbered from 1.
func StartAttempt(ctx context.Context, rpc, address string) *Span {
	s := From(ctx)
	if s == nil {
		return nil
	}

	name := strings.TrimPrefix(rpc, "/")
	attributes := []attribute.KeyValue{
		semconv.RPCSystemNameGRPC, semconv.RPCMethod(name), attribute.Int64(attrAttempt, s.attempts.Add(1)),
	}
	attributes = appendAddress(attributes, address, semconv.ServerAddress, semconv.ServerPort)

	_, attempt := s.start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))

	return attempt
}

// EndCall ends the span of a call or an attempt with the name of its gRPC code and, if that is not OK, its message.
func (s *Span) EndCall(code, message string) {
	if s == nil {
		return
	}

	s.span.SetAttributes(semconv.RPCResponseStatusCode(code))

	if code != "OK" {
		s.Fail(code, clip(message))
	}

	s.End()
}

// StartCommand starts the span of a command to Redis, or of so many in one pipeline (semantic conventions for Redis).
func StartCommand(ctx context.Context, name string, commands int) (context.Context, *Span) {
	s := From(ctx)
	if s == nil {
		return ctx, nil
	}

	name = strings.ToUpper(name)
	attributes := []attribute.KeyValue{semconv.DBSystemNameRedis, semconv.DBOperationName(name)}

	if commands > 1 {
		attributes = append(attributes, semconv.DBOperationBatchSize(commands))
	}

	return s.start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
}
