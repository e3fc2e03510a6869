package tracing_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/oteltest"
)

// A trace of a client, with a span that is sampled and one that is not. Samplers by trace id would always take this id.
const (
	clientTrace  = "00000000000000000000000000000001"
	clientSpan   = "00f067aa0ba902b7"
	sampled      = "00-" + clientTrace + "-" + clientSpan + "-01"
	unsampled    = "00-" + clientTrace + "-" + clientSpan + "-00"
	neverSampled = 1e-12
)

func withParent(header http.Header, parent string) http.Header {
	header.Set("Traceparent", parent)
	header.Set("Tracestate", "vendor=1")

	return header
}

func TestTraceOfTheClientIsContinued(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	_, _, spans := s.traced(t, http.MethodGet, "/v1/users/alice", withParent(s.As(t, "alice"), unsampled))

	oteltest.Connected(t, spans, clientSpan)

	if spans[0].Trace != clientTrace {
		t.Errorf("the trace is %s", spans[0].Trace)
	}

	calls := s.TakeCalls()
	if got, want := calls[0].Metadata.Get("traceparent"), traceparent(attempts(spans, gatewaytest.RPCGetUser)[0]); !slices.Equal(got, []string{want}) {
		t.Errorf("the backend got %q, not %q", got, want)
	}

	if got := calls[0].Metadata.Get("tracestate"); !slices.Equal(got, []string{"vendor=1"}) {
		t.Errorf("the backend got the state %q", got)
	}
}

// Strangers do not decide what is recorded, neither here nor at backends.
func TestStrangersDoNotDecideWhatIsSampled(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		trust   string
		proxies []string
		parent  string
		sampled bool
	}{
		"stranger":        {"none", nil, sampled, false},
		"no_proxy":        {"proxies", []string{"192.0.2.0/24"}, sampled, false},
		"proxy":           {"proxies", []string{"127.0.0.0/8"}, sampled, true},
		"proxy_says_no":   {"proxies", []string{"127.0.0.0/8"}, unsampled, false},
		"all":             {"all", nil, sampled, true},
		"proxy_not_asked": {"none", []string{"127.0.0.0/8"}, sampled, false},
		"malformed":       {"all", nil, strings.ToUpper(sampled) + "x", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := start(t, func(c *config.Config) {
				c.Tracing.SampleRatio, c.Tracing.TrustSampled, c.ClientIP.TrustedProxies = neverSampled, row.trust, row.proxies
			})

			res := s.Do(t, http.MethodGet, "/v1/users/alice", withParent(s.As(t, "alice"), row.parent), "")
			parent := s.parents()[gatewaytest.RPCGetUser][0]
			line := s.line(t)

			if got := strings.HasSuffix(parent, "-01"); res.Status != http.StatusOK || got != row.sampled {
				t.Errorf("%d: the backend got %q", res.Status, parent)
			}

			if line["trace_id"] != strings.Split(parent, "-")[1] || strings.Contains(parent, clientSpan) {
				t.Errorf("the log has the trace %v, the backend %q", line["trace_id"], parent)
			}

			if continued := strings.Contains(parent, clientTrace); continued == (name == "malformed") {
				t.Errorf("the trace of the client is continued: %t", continued)
			}

			if row.sampled {
				s.Wait(t, clientTrace, oteltest.HasRoot)
			} else if err := s.Gateway.Close(); err != nil || len(s.Spans()) > 0 {
				// Close exports what there is.
				t.Errorf("%v, and there are %v", err, s.Spans())
			}
		})
	}
}

func TestWithoutTracingHeadersPass(t *testing.T) {
	t.Parallel()

	s := start(t, func(c *config.Config) { c.Tracing = config.Tracing{} })
	s.Do(t, http.MethodGet, "/v1/users/alice", withParent(s.As(t, "alice"), sampled), "")

	if got := s.parents()[gatewaytest.RPCGetUser]; !slices.Equal(got, []string{sampled}) {
		t.Errorf("the backend got %q", got)
	}

	// The line joins with those of others in the trace of the client.
	if line := s.line(t); line["trace_id"] != clientTrace || line["span_id"] != nil {
		t.Errorf("the log has %v", line)
	}

	if res := s.Do(t, http.MethodGet, "/v1/nowhere", s.As(t, "alice"), ""); res.Problem(t)["trace_id"] != nil {
		t.Errorf("a request without a trace has one: %s", res.Body)
	}
}

func TestBothProtocols(t *testing.T) {
	t.Parallel()

	for protocol, endpoint := range map[string]func(*oteltest.Collector) string{
		config.ProtocolGRPC: (*oteltest.Collector).GRPC, config.ProtocolHTTP: (*oteltest.Collector).HTTP,
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()

			headers := filepath.Join(t.TempDir(), "headers")
			if err := os.WriteFile(headers, []byte("tenant=shop\n"), 0o600); err != nil {
				t.Fatal(err)
			}

			collector := oteltest.Start(t)
			s, _ := gatewaytest.StartFlaky(t, func(c *config.Config) {
				c.Tracing = config.Tracing{
					Endpoint: endpoint(collector), Protocol: protocol, SampleRatio: 1, BatchInterval: time.Hour,
					Headers: map[string]string{"Api-Key": "k"}, HeadersFile: headers, ServiceName: "shop-gateway",
					ResourceAttributes: map[string]string{"deployment.environment.name": "test"},
				}
			})

			s.Do(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"), "")

			// Nothing is exported before, and Close exports everything.
			if err := s.Gateway.Close(); err != nil {
				t.Fatal(err)
			}

			spans := collector.Spans()
			oteltest.Connected(t, spans, "")

			for name, want := range map[string]string{"api-key": "k", "tenant": "shop"} {
				if got := collector.Headers().Get(name); !slices.Equal(got, []string{want}) {
					t.Errorf("the collector got %s: %q", name, got)
				}
			}

			if got := spans[0].Resource; got["service.name"] != "shop-gateway" || got["deployment.environment.name"] != "test" ||
				got["service.instance.id"] == "" || got["telemetry.sdk.language"] != "go" {
				t.Errorf("the gateway is %v", got)
			}
		})
	}
}

// A collector that is down, or refuses, costs spans and nothing else.
func TestCollectorThatRefuses(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	s.Refuse(true)

	s.Do(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"), "")
	gatewaytest.Eventually(t, "the loss is logged", func() bool { return strings.Contains(s.Logs.String(), "spans cannot be exported") })

	s.Refuse(false)
	s.Do(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"), "")
	gatewaytest.Eventually(t, "the end is logged", func() bool { return strings.Contains(s.Logs.String(), "spans are exported again") })

	metrics := gatewaytest.AdminGet(t, s.Gateway, "/metrics").Body
	if strings.Contains(metrics, `portico_tracing_spans_dropped_total{reason="export"} 0`) {
		t.Errorf("the metrics are\n%s", metrics)
	}

	// Spans may go in several batches.
	if n := strings.Count(s.Logs.String(), "spans cannot be exported"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}
