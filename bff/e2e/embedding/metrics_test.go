package embedding_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// A program finds the metrics in its own registry, where two gateways can be told apart, until they are closed.
func TestMetricsAreInTheRegistryOfTheProgram(t *testing.T) {
	t.Parallel()

	registry := prometheus.NewRegistry()
	named := func(name string) bff.Option {
		return bff.WithMetrics(prometheus.WrapRegistererWith(prometheus.Labels{"gateway": name}, registry))
	}
	start := func(opts ...bff.Option) (*bff.Gateway, error) {
		return bff.New(t.Context(), config.Config{Auth: config.Auth{Disabled: true}}, append(opts, gatewaytest.Quiet())...)
	}

	var gateways []*bff.Gateway

	for _, name := range []string{"one", "two"} {
		gw, err := start(named(name))
		if err != nil {
			t.Fatal(err)
		}

		gateways = append(gateways, gw)

		gw.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/nowhere", nil))

		if own := gatewaytest.AdminGet(t, gw, "/metrics").Body; !strings.Contains(own, `portico_http_requests_total{method="GET",route="none",status="404"} 1`) ||
			!strings.Contains(own, "go_goroutines") {
			t.Errorf("%s: the admin listener says\n%s", name, own)
		}
	}

	scrape := func() string {
		w := httptest.NewRecorder()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))

		if w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}

		return w.Body.String()
	}

	metrics := scrape()
	for _, want := range []string{
		`portico_http_requests_total{gateway="one",method="GET",route="none",status="404"} 1`,
		`portico_http_requests_total{gateway="two",method="GET",route="none",status="404"} 1`, `portico_connections{gateway="one"}`,
		`portico_buffered_response_bytes{gateway="two"}`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}

	if strings.Contains(metrics, "go_goroutines") {
		t.Error("the metrics of the runtime are the program's")
	}

	if _, err := start(named("one")); err == nil || !strings.Contains(err.Error(), "WithMetrics") {
		t.Errorf("a second one of the name: %v", err)
	}

	for _, gw := range gateways {
		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	}

	if metrics := scrape(); metrics != "" {
		t.Errorf("left behind:\n%s", metrics)
	}

	again, err := start(named("one"))
	if err != nil {
		t.Fatal(err)
	}

	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
