package bff

import (
	"context"
	"crypto/tls"
	"maps"

	"go.opentelemetry.io/otel/trace"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/secret"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// WithTracerProvider records spans with the OpenTelemetry of the program instead of an exporter of the gateway's own: its sampler,
// its resource, its exporters. The program shuts it down, after the gateway. It may be given once. Of the configuration, only
// tracing.trust_sampled and tracing.sample_ratio count then; the ratio is that of requests that continue the trace of a caller.
//
// If the context of a request carries a span of the program already (otelhttp), that of the gateway is below it. Composites find
// theirs by trace.SpanFromContext. Backends get the trace from the gateway: do not add a stats handler that writes traceparent,
// too.
//
// Without it, requests are traced if tracing.endpoint says where to.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return func(o *options) {
		o.faults.need("WithTracerProvider", "the provider", provider)
		o.faults.once("WithTracerProvider", o.tracerProvider == nil)

		o.tracerProvider = provider
	}
}

// openTracing returns what begins the traces of requests. Nil: there are none.
func (c *Compiled) openTracing(ctx context.Context, with opening) (*tracing.Tracer, error) {
	cfg := c.config.Tracing

	if provider := c.options.tracerProvider; provider != nil {
		return tracing.New(provider, cfg.SampleRatio), nil
	}

	if !cfg.On() {
		return nil, nil //nolint:nilnil // There is none.
	}

	var transport *tls.Config

	if cfg.Encrypted() {
		files, err := tlsfiles.Open(tlsfiles.Paths{Cert: cfg.TLS.CertFile, Key: cfg.TLS.KeyFile, CA: cfg.TLS.CAFile})
		if err != nil {
			return nil, &config.Fault{Path: "tracing.tls", Err: err}
		}

		transport = files.Client(cfg.TLS.ServerName)
	}

	cfg, err := readTracingHeaders(cfg)
	if err != nil {
		return nil, err
	}

	exported, err := observe.OpenTracing(ctx, cfg, transport, with.logger)
	if err != nil {
		return nil, err
	}

	with.metrics.WatchTracing(exported.Spans)
	with.life.atEnd(closer(exported.Close))

	return tracing.NewOwn(exported.Provider(), cfg.SampleRatio), nil
}

// readTracingHeaders returns the settings with what is in the file of headers.
func readTracingHeaders(cfg config.Tracing) (config.Tracing, error) {
	if cfg.HeadersFile == "" {
		return cfg, nil
	}

	var fromFile map[string]string

	_, err := secret.Open(cfg.HeadersFile, func(line string) (err error) {
		fromFile, err = config.ParseTracingHeaders(line)

		return err
	})
	if err != nil {
		return cfg, &config.Fault{Path: "tracing.headers_file", Err: err}
	}

	headers := maps.Clone(cfg.Headers)
	if headers == nil {
		headers = map[string]string{}
	}

	maps.Copy(headers, fromFile)
	cfg.Headers = headers

	return cfg, nil
}
