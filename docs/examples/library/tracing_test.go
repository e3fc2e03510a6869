package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"

	shopv1 "example.com/shop/gen/shop/v1"
)

// tracedTeas notes what they are told of the trace.
type tracedTeas struct {
	teas

	traceparents chan []string
}

func (s *tracedTeas) GetTea(ctx context.Context, req *shopv1.GetTeaRequest) (*shopv1.Tea, error) {
	s.traceparents <- metadata.ValueFromIncomingContext(ctx, "traceparent")

	return s.teas.GetTea(ctx, req)
}

// A request, the calls that it makes and what backends are told are one trace, also through a composite.
func TestTracing(t *testing.T) {
	shop := &tracedTeas{traceparents: make(chan []string, 1)}
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))

	gw, err := bff.New(t.Context(), config.Config{
		Auth: config.Auth{Disabled: true},
		// Clients decide which of their traces are recorded: here all.
		Tracing:   config.Tracing{TrustSampled: config.TrustAll},
		Upstreams: map[string]config.Upstream{"shop": {Addresses: []string{backendOf(t, shop)}}},
	}, append(options(), bff.WithTracerProvider(provider))...)
	if err != nil {
		t.Fatal(err)
	}
	defer gw.Close()

	server := httptest.NewServer(gw)
	defer server.Close()

	// The trace of a client is continued.
	const client = "4bf92f3577b34da6a3ce929d0e0e4736"

	for path, route := range map[string]string{
		"/v1/teas/sencha": "GET /v1/teas/{tea_id}", "/v1/teas/sencha/page": "GET /v1/teas/{tea_id}/page",
	} {
		res, body := do(t, http.MethodGet, server.URL+path, http.Header{"Traceparent": {"00-" + client + "-00f067aa0ba902b7-01"}}, "")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, body)
		}

		spans, byID := map[string]sdktrace.ReadOnlySpan{}, map[trace.SpanID]sdktrace.ReadOnlySpan{}
		for _, span := range recorder.Ended() {
			spans[span.Name()], byID[span.SpanContext().SpanID()] = span, span
		}

		request, attempt := spans[route], spans["shop.v1.TeaService/GetTea"]
		if request == nil || attempt == nil {
			t.Fatalf("%s: the spans are %v", path, spans)
		}

		root := attempt
		for byID[root.Parent().SpanID()] != nil {
			root = byID[root.Parent().SpanID()]
		}

		if root != request || request.SpanContext().TraceID().String() != client {
			t.Errorf("%s: not one trace", path)
		}

		if told := <-shop.traceparents; len(told) != 1 || !strings.Contains(told[0], client+"-"+attempt.SpanContext().SpanID().String()) {
			t.Errorf("%s: the backend is told %q", path, told)
		}

		recorder.Reset()
	}
}
