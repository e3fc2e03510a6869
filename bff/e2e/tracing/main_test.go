// Package tracing_test holds end-to-end tests of traces: gateways behind real listeners, over backends that record the trace context
// they get, with a collector of OpenTelemetry.
package tracing_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/oteltest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// site is a gateway that traces every request.
type site struct {
	*gatewaytest.Site
	*oteltest.Collector

	backend *gatewaytest.FlakyBackend
}

func start(t *testing.T, change func(*config.Config), opts ...bff.Option) *site {
	t.Helper()

	collector := oteltest.Start(t)
	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.Patient(c)

		c.Tracing = config.Tracing{Endpoint: collector.GRPC(), SampleRatio: 1, BatchInterval: 10 * time.Millisecond}

		if change != nil {
			change(c)
		}
	}, opts...)

	return &site{Site: s, Collector: collector, backend: b}
}

// line is that of the log for the last request.
func (s *site) line(t *testing.T) map[string]any {
	t.Helper()

	var found map[string]any

	for text := range strings.Lines(s.Logs.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}

		if line["msg"] == "request" {
			found = line
		}
	}

	if found == nil {
		t.Fatal("no request was logged")
	}

	return found
}

// traced sends a request and returns the response, the line of the log, and the spans of its trace.
func (s *site) traced(t *testing.T, method, target string, header http.Header) (gatewaytest.Response, map[string]any, []oteltest.Span) {
	t.Helper()

	response := s.Do(t, method, target, header, "")

	var line map[string]any

	gatewaytest.Eventually(t, "the line of the log", func() bool {
		return strings.Contains(s.Logs.String(), `"request_id":"`+response.Header.Get("X-Request-Id")+`"`)
	})

	line = s.line(t)
	id, _ := line["trace_id"].(string)

	return response, line, s.Wait(t, id, oteltest.HasRoot)
}

// parents are the spans that backends got as the parents of theirs, by RPC, of the calls since the last time.
func (s *site) parents() map[string][]string {
	all := map[string][]string{}

	for _, call := range s.TakeCalls() {
		all[call.RPC] = append(all[call.RPC], strings.Join(call.Metadata.Get("traceparent"), " and "))
	}

	return all
}

// attempts are the spans of attempts at a method, in the order of their numbers.
func attempts(spans []oteltest.Span, rpc string) []oteltest.Span {
	list := oteltest.Named(spans, strings.TrimPrefix(rpc, "/"))
	slices.SortFunc(list, func(a, b oteltest.Span) int {
		return strings.Compare(a.Attributes["portico.attempt"], b.Attributes["portico.attempt"])
	})

	return list
}

func traceparent(s oteltest.Span) string { return "00-" + s.Trace + "-" + s.ID + "-01" }
