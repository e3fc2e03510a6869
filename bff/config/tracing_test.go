package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
)

func TestTracing(t *testing.T) {
	t.Parallel()

	files := config.UpstreamTLS{CAFile: "ca.pem"}

	for name, tt := range map[string]struct {
		given config.Tracing
		// want is what the fault says. Empty: there is none.
		want string
	}{
		"off":                {config.Tracing{}, ""},
		"grpc":               {config.Tracing{Endpoint: "http://collector:4317", SampleRatio: 1}, ""},
		"grpc_slash":         {config.Tracing{Endpoint: "https://collector:4317/", TLS: files}, ""},
		"http":               {config.Tracing{Endpoint: "http://collector:4318/otlp/v1/traces", Protocol: config.ProtocolHTTP}, ""},
		"no_scheme":          {config.Tracing{Endpoint: "collector:4317"}, "tracing.endpoint: must be http://host:port"},
		"other_scheme":       {config.Tracing{Endpoint: "grpc://collector:4317"}, "tracing.endpoint: must be http://host:port"},
		"no_host":            {config.Tracing{Endpoint: "http://:4317"}, "tracing.endpoint: must be http://host:port"},
		"path_with_grpc":     {config.Tracing{Endpoint: "http://collector:4317/v1/traces"}, "tracing.endpoint: must have no path"},
		"files_without_tls":  {config.Tracing{Endpoint: "http://collector:4317", TLS: files}, "tracing.tls: needs a tracing.endpoint with https"},
		"certificate_alone":  {config.Tracing{Endpoint: "https://c:1", TLS: config.UpstreamTLS{CertFile: "a"}}, "tracing.tls: needs both"},
		"other_protocol":     {config.Tracing{Protocol: "http/json"}, `tracing.protocol: "http/json" is not one of grpc, http/protobuf`},
		"other_trust":        {config.Tracing{TrustSampled: "some"}, `tracing.trust_sampled: "some" is not one of none, proxies, all`},
		"ratio_of_100":       {config.Tracing{SampleRatio: 100}, "tracing.sample_ratio: must be above 0"},
		"negative_ratio":     {config.Tracing{SampleRatio: -1}, "tracing.sample_ratio: must be above 0"},
		"batch_over_queue":   {config.Tracing{BatchSize: 5, QueueSize: 4}, "tracing.batch_size: must not be more than tracing.queue_size"},
		"headers_for_nobody": {config.Tracing{HeadersFile: "f"}, "tracing.headers_file: needs tracing.endpoint"},
		"header_with_spaces": {config.Tracing{Headers: map[string]string{"api key": "k"}}, `tracing.headers: "api key" is not a header name`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := valid()
			c.Tracing = tt.given

			got := ""
			if err := c.WithDefaults().Validate(); err != nil {
				got = err.Error()
			}

			if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A password in the endpoint is refused, and not repeated.
func TestTracingEndpointIsNotRepeated(t *testing.T) {
	t.Parallel()

	c := valid()
	c.Tracing.Endpoint = "http://user:secret@collector:4317"

	if err := c.Validate(); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestTracingFromTheEnvironment(t *testing.T) {
	t.Parallel()

	got, err := config.Load(file(t, "auth: {disabled: true}\n"), []string{
		"PORTICO_TRACING_ENDPOINT=https://collector:4317", "PORTICO_TRACING_HEADERS=api-key=k,x-team=shop", "PORTICO_TRACING_SAMPLE_RATIO=0.5",
		"PORTICO_TRACING_TLS_CA_FILE=ca.pem", "PORTICO_TRACING_RESOURCE_ATTRIBUTES=deployment.environment.name=prod",
	})
	if err != nil {
		t.Fatal(err)
	}

	want := config.Tracing{
		Endpoint: "https://collector:4317", Headers: map[string]string{"api-key": "k", "x-team": "shop"}, SampleRatio: 0.5,
		TLS: config.UpstreamTLS{CAFile: "ca.pem"}, ResourceAttributes: map[string]string{"deployment.environment.name": "prod"},
	}
	if diff := cmp.Diff(config.Config{Tracing: want}.WithDefaults().Tracing, got.Tracing); diff != "" {
		t.Error(diff)
	}
}

// It is shown to operators even while it is refused.
func TestTracingEndpointIsShownWithoutItsPassword(t *testing.T) {
	t.Parallel()

	c := valid()
	c.Tracing.Endpoint = "http://user:secret@collector:4317"

	shown, err := c.Shown()
	if err != nil {
		t.Fatal(err)
	}

	if text, err := shown.YAML(false); err != nil || strings.Contains(string(text), "secret@") {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestPortOfTheURLOfRedis(t *testing.T) {
	t.Parallel()

	c := valid()
	c.Redis.URL = "redis://h:99999/0"

	if err := c.WithDefaults().Validate(); err == nil || !strings.Contains(err.Error(), "redis.url") {
		t.Errorf("got %v", err)
	}
}
