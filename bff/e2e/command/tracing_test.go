package command_test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/oteltest"
)

// The binary as an operator configures it: in the file, or in the environment with the names of OpenTelemetry where they count.
func TestTracing(t *testing.T) {
	t.Parallel()

	p, collector := startDev(t, t.TempDir()), oteltest.Start(t)
	cfg := writeFile(t, "portico.yaml", p.upstreams(t)+"auth:\n  issuers:\n    - "+
		"issuer: https://dev.portico.invalid\n      audiences: [portico]\n      jwks_file: "+
		filepath.Join(p.dataDir, "dev-issuer.jwks.json")+"\ntracing:\n  sample_ratio: 1\n  batch_interval: 20ms\n")

	for name, environment := range map[string][]string{
		"grpc": {"PORTICO_TRACING_ENDPOINT=" + collector.GRPC(), "OTEL_SERVICE_NAME=grpc"},
		"http": {
			"PORTICO_TRACING_ENDPOINT=" + collector.HTTP(), "PORTICO_TRACING_PROTOCOL=http/protobuf",
			"PORTICO_TRACING_SERVICE_NAME=http", "OTEL_SERVICE_NAME=other", "OTEL_RESOURCE_ATTRIBUTES=team=shop",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			gateway := startPrepared(t, raced, func(c *exec.Cmd) { c.Env = append(c.Env, environment...) }, "serve", "--config", cfg)
			eventually(t, "the gateway listening", func() bool { return listening.MatchString(gateway.stderr.String()) })

			url := "http://" + listening.FindStringSubmatch(gateway.stderr.String())[1]
			want(t, "the dashboard", call(t, http.MethodGet, url+"/v1/me/dashboard", p.token(t, "alice"), ""), http.StatusOK)

			spans := collector.Wait(t, gateway.traceID(t), oteltest.HasRoot)
			oteltest.Connected(t, spans, "")

			if branches := regexp.MustCompile(`(?m)^  branch `).FindAllString(oteltest.Tree(spans), -1); len(branches) != 3 {
				t.Errorf("the spans are\n%s", oteltest.Tree(spans))
			}

			if got := spans[0].Resource["service.name"]; got != name {
				t.Errorf("the service is %q", got)
			}

			// What has ended is exported before the process does.
			want(t, "a path without a route", call(t, http.MethodGet, url+"/v1/nowhere", "", ""), http.StatusNotFound)

			if code := gateway.stop(t); code != 0 {
				t.Fatalf("exit code %d", code)
			}

			if last := oteltest.Of(collector.Spans(), gateway.traceID(t)); len(last) != 1 || last[0].Name != "GET" {
				t.Errorf("at the end there is %v", last)
			}
		})
	}
}

// traceID is that of the last request in the log.
func (p *process) traceID(t *testing.T) string {
	t.Helper()

	id := ""

	eventually(t, "the line of a request", func() bool {
		for text := range strings.Lines(p.stderr.String()) {
			var line struct {
				TraceID string `json:"trace_id"`
			}
			if json.Unmarshal([]byte(text), &line) == nil && line.TraceID != "" {
				id = line.TraceID
			}
		}

		return id != ""
	})

	return id
}

func TestTracingFaultsAreTold(t *testing.T) {
	t.Parallel()

	path := writeFile(t, "portico.yaml", "auth: {disabled: true}\ntracing: {endpoint: 'collector:4317', sample_ratio: 5}\n")

	_, errs, code := portico(t, "check", "--config", path)
	for _, want := range []string{"tracing.endpoint: must be http://host:port", "tracing.sample_ratio: must be above 0"} {
		if code == 0 || !strings.Contains(errs, want) {
			t.Errorf("exit code %d; %q is not in %s", code, want, errs)
		}
	}
}
