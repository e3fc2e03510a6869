package observe

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// Tracing exports spans to a collector, in the background: whoever ends a span never waits. It is safe for concurrent use and must
// be closed.
type Tracing struct {
	provider *sdktrace.TracerProvider
	queue    *spanQueue
	timeout  time.Duration
}

// OpenTracing returns a Tracing with an endpoint. It does not wait for the collector, which may start later. transport is for an
// endpoint with https; nil is the default one.
func OpenTracing(ctx context.Context, cfg config.Tracing, transport *tls.Config, logger *slog.Logger) (*Tracing, error) {
	exporter, err := newExporter(ctx, cfg, transport)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}

	described, err := describe(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("tracing: describe the gateway: %w", err)
	}

	queue := newSpanQueue(exporter, cfg, logger)
	provider := sdktrace.NewTracerProvider(
		// The gateway asks for the spans of requests that are sampled alone.
		sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithResource(described), sdktrace.WithSpanProcessor(queue))

	return &Tracing{provider: provider, queue: queue, timeout: cfg.Timeout}, nil
}

// Provider returns what makes the tracers of the process.
func (t *Tracing) Provider() trace.TracerProvider { return t.provider }

// Spans returns how many spans were exported, and how many were dropped: because too many waited, and because the collector did not
// take them.
func (t *Tracing) Spans() (exported, overflowed, refused int64) {
	return t.queue.exported.Load(), t.queue.overflowed.Load(), t.queue.refused.Load()
}

// Close exports the spans that wait, within the timeout of an export. Those that end later are lost.
func (t *Tracing) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()

	// What could not be exported has been logged, or is lost with the process.
	_ = t.provider.Shutdown(ctx)
}

// describe returns what the spans say about the gateway. The configuration comes before the environment, and that before defaults.
func describe(ctx context.Context, cfg config.Tracing) (*resource.Resource, error) {
	defaults := []attribute.KeyValue{semconv.ServiceName("portico"), semconv.ServiceInstanceID(rand.Text())}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		defaults = append(defaults, semconv.ServiceVersion(info.Main.Version))
	}

	own := make([]attribute.KeyValue, 0, len(cfg.ResourceAttributes)+1)
	for name, value := range cfg.ResourceAttributes {
		own = append(own, attribute.String(name, value))
	}

	if cfg.ServiceName != "" {
		own = append(own, semconv.ServiceName(cfg.ServiceName))
	}

	return resource.New(ctx, resource.WithSchemaURL(tracing.SchemaURL), resource.WithAttributes(defaults...),
		resource.WithTelemetrySDK(), resource.WithFromEnv(), resource.WithAttributes(own...))
}
