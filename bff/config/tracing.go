package config

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Tracing sends spans of requests to a collector of OpenTelemetry (OTLP). It is off without an endpoint.
//
// Where a setting has no default here and is left out, the standard variables of the environment count, as far as the SDK reads
// them: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS, _COMPRESSION, and OTEL_SPAN_…_LIMIT. Others have
// no effect: OTEL_EXPORTER_OTLP_ENDPOINT does not turn tracing on, nor OTEL_TRACES_SAMPLER change what is sampled.
type Tracing struct {
	// Endpoint is the collector, http://host:4317, or https:// for TLS. Over http/protobuf, a path is used as it is; without one it
	// is /v1/traces. Empty: tracing is off.
	Endpoint string `env:"ENDPOINT" secret:"url" yaml:"endpoint"`
	// Protocol is that of the export: grpc or http/protobuf. Default grpc.
	Protocol string `default:"grpc" enum:"grpc,http/protobuf" env:"PROTOCOL" yaml:"protocol"`
	// Headers are sent to the collector, such as its API key. In the environment, they are written as api-key=…,tenant=….
	Headers map[string]string `env:"HEADERS" secret:"true" yaml:"headers"`
	// HeadersFile is a file of one line with further headers, written as in the environment. It is read at start-up.
	HeadersFile string `env:"HEADERS_FILE" yaml:"headers_file"`
	// TLS are the files for an endpoint with https. They are read at start-up.
	TLS UpstreamTLS `envPrefix:"TLS_" yaml:"tls"`
	// Timeout bounds an export, with its retries, and the last one when the gateway stops. Default 10s.
	Timeout time.Duration `default:"10s" env:"TIMEOUT" yaml:"timeout"`
	// SampleRatio is the part of the requests that is recorded, above 0 and up to 1. Default 0.01.
	SampleRatio float64 `default:"0.01" env:"SAMPLE_RATIO" yaml:"sample_ratio"`
	// TrustSampled is who decides that a request is recorded by the flag "sampled" of its traceparent (W3C Trace Context): none,
	// proxies (connections from client_ip.trusted_proxies, if these set traceparent themselves) or all. The trace of other callers
	// is continued as well, but sample_ratio decides: or anyone could have every request recorded. Default none.
	TrustSampled string `default:"none" enum:"none,proxies,all" env:"TRUST_SAMPLED" yaml:"trust_sampled"`
	// ServiceName is the service.name of the gateway. Default portico.
	ServiceName string `env:"SERVICE_NAME" yaml:"service_name"`
	// ResourceAttributes are further attributes of the gateway, such as deployment.environment.name.
	ResourceAttributes map[string]string `env:"RESOURCE_ATTRIBUTES" yaml:"resource_attributes"`
	// QueueSize is how many spans may wait to be exported; more are dropped. Default 2048.
	QueueSize int `default:"2048" env:"QUEUE_SIZE" yaml:"queue_size"`
	// BatchSize is how many spans are exported at once. Default 512.
	BatchSize int `default:"512" env:"BATCH_SIZE" yaml:"batch_size"`
	// BatchInterval is how long spans wait for a batch to be full. Default 5s.
	BatchInterval time.Duration `default:"5s" env:"BATCH_INTERVAL" yaml:"batch_interval"`
}

// The values of Tracing.Protocol.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
)

// The values of Tracing.TrustSampled.
const (
	TrustNone    = "none"
	TrustProxies = "proxies"
	TrustAll     = "all"
)

var errHeaderName = errors.New("has a name that is not one of a header")

// ParseTracingHeaders reads the content of tracing.headers_file. The error does not repeat it.
func ParseTracingHeaders(line string) (map[string]string, error) {
	headers, err := parseTexts(line)

	for name := range headers {
		if !isToken(name) {
			return nil, errHeaderName
		}
	}

	return headers, err
}

// On reports whether there is a collector.
func (t Tracing) On() bool { return t.Endpoint != "" }

// Encrypted reports whether the connection to the collector has TLS.
func (t Tracing) Encrypted() bool { return strings.HasPrefix(t.Endpoint, "https:") }

func (v *validation) tracing(t Tracing) {
	v.oneOf("tracing.protocol", t.Protocol, ProtocolGRPC, ProtocolHTTP)
	v.oneOf("tracing.trust_sampled", t.TrustSampled, TrustNone, TrustProxies, TrustAll)
	v.check(t.SampleRatio > 0 && t.SampleRatio <= 1, "tracing.sample_ratio", "must be above 0, and 1 at most")
	v.check(t.BatchSize <= t.QueueSize, "tracing.batch_size", "must not be more than tracing.queue_size")

	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		v.headerName("tracing.headers", name)
	}

	v.check(t.HeadersFile == "" || t.On(), "tracing.headers_file", "needs tracing.endpoint")

	if !t.On() {
		return
	}

	// The text may have a secret, and url.Parse repeats it.
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Scheme != "http" && !t.Encrypted() || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		v.check(false, "tracing.endpoint", "must be http://host:port or https://host:port, without user, password and query")
		return
	}

	v.check(t.Protocol != ProtocolGRPC || strings.Trim(u.Path, "/") == "", "tracing.endpoint",
		"must have no path with the protocol grpc")
	v.check(t.Encrypted() || !t.TLS.On(), "tracing.tls", "needs a tracing.endpoint with https")
	v.check((t.TLS.CertFile == "") == (t.TLS.KeyFile == ""), "tracing.tls", "needs both cert_file and key_file, or neither")
}
