package observe

import (
	"context"
	"crypto/tls"
	"net/url"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/credentials"

	"github.com/portico-gateway/portico/bff/config"
)

// tracesPath is where collectors take spans over HTTP (OTLP specification, "OTLP/HTTP Request").
const tracesPath = "/v1/traces"

// newExporter returns the exporter for the protocol. It dials when there are spans.
func newExporter(ctx context.Context, cfg config.Tracing, transport *tls.Config) (sdktrace.SpanExporter, error) {
	endpoint, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil, err
	}

	if cfg.Protocol == config.ProtocolHTTP {
		return httpExporter(ctx, cfg, endpoint, transport)
	}

	options := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpointURL(endpoint.String()), otlptracegrpc.WithTimeout(cfg.Timeout),
	}
	if len(cfg.Headers) > 0 {
		options = append(options, otlptracegrpc.WithHeaders(cfg.Headers))
	}

	if transport != nil {
		options = append(options, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(transport)))
	}

	return otlptracegrpc.New(ctx, options...)
}

func httpExporter(
	ctx context.Context, cfg config.Tracing, endpoint *url.URL, transport *tls.Config,
) (sdktrace.SpanExporter, error) {
	if endpoint.Path == "" || endpoint.Path == "/" {
		endpoint.Path = tracesPath
	}

	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(endpoint.String()), otlptracehttp.WithTimeout(cfg.Timeout),
	}
	if len(cfg.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(cfg.Headers))
	}

	if transport != nil {
		options = append(options, otlptracehttp.WithTLSClientConfig(transport))
	}

	return otlptracehttp.New(ctx, options...)
}
