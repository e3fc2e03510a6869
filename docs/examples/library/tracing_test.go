package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"

	shopv1 "example.com/shop/gen/shop/v1"
)

// tracing are the options by which a gateway makes spans of requests and of the calls to an upstream.
func tracing(provider trace.TracerProvider, upstream string) []bff.Option {
	propagator := propagation.TraceContext{}

	return []bff.Option{
		bff.WithMiddleware(
			otelhttp.NewMiddleware("request", otelhttp.WithTracerProvider(provider), otelhttp.WithPropagators(propagator)),
			nameSpan,
		),
		bff.WithDialOptions(upstream, grpc.WithStatsHandler(otelgrpc.NewClientHandler(
			otelgrpc.WithTracerProvider(provider), otelgrpc.WithPropagators(propagator),
		))),
	}
}

// nameSpan names the span of a request by its route, which is known once it has been served.
func nameSpan(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)

		if info, _ := bff.RequestInfoFrom(r.Context()); info.Route != "" {
			span := trace.SpanFromContext(r.Context())
			span.SetName(r.Method + " " + info.Route)
			span.SetAttributes(attribute.String("http.route", info.Route))
		}
	})
}

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
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shop": {Addresses: []string{backendOf(t, shop)}}},
	}, append(options(), tracing(provider, "shop")...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer gw.Close()

	server := httptest.NewServer(gw)
	defer server.Close()

	const client = "4bf92f3577b34da6a3ce929d0e0e4736"

	for path, route := range map[string]string{
		"/v1/teas/sencha": "GET /v1/teas/{tea_id}", "/v1/teas/sencha/page": "GET /v1/teas/{tea_id}/page",
	} {
		res, body := do(t, http.MethodGet, server.URL+path, http.Header{"Traceparent": {"00-" + client + "-00f067aa0ba902b7-01"}}, "")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, body)
		}

		spans := map[string]sdktrace.ReadOnlySpan{}
		for _, span := range recorder.Ended() {
			spans[span.Name()] = span
		}

		request, called := spans[route], spans["shop.v1.TeaService/GetTea"]
		if request == nil || called == nil {
			t.Fatalf("%s: the spans are %v", path, spans)
		}

		if called.Parent().SpanID() != request.SpanContext().SpanID() || request.SpanContext().TraceID().String() != client {
			t.Errorf("%s: not one trace", path)
		}

		if told := <-shop.traceparents; len(told) != 1 || !strings.Contains(told[0], client+"-"+called.SpanContext().SpanID().String()) {
			t.Errorf("%s: the backend is told %q", path, told)
		}

		recorder.Reset()
	}
}
