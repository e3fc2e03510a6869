package observe_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// scrape returns the samples of one metric, as Prometheus reads them.
func scrape(tb testing.TB, m *observe.Metrics, metric string) []string {
	tb.Helper()

	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))

	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		tb.Fatalf("got %d, %s", w.Code, w.Header().Get("Content-Type"))
	}

	var samples []string

	lines := bufio.NewScanner(w.Body)
	for lines.Scan() {
		if name, _, _ := strings.Cut(lines.Text(), " "); name == metric || strings.HasPrefix(name, metric+"{") {
			samples = append(samples, lines.Text())
		}
	}

	slices.Sort(samples)

	return samples
}

func TestRequestLabelsAreBounded(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, method, template string
		want                   string
	}{
		{"get", "GET", "/v1/orders/{order_id}", `method="GET",route="/v1/orders/{order_id}"`},
		{"head", "HEAD", "/v1/orders/{order_id}", `method="HEAD",route="/v1/orders/{order_id}"`},
		{"post", "POST", "/v1/orders", `method="POST",route="/v1/orders"`},
		{"put", "PUT", "/x", `method="PUT",route="/x"`},
		{"patch", "PATCH", "/x", `method="PATCH",route="/x"`},
		{"delete", "DELETE", "/x", `method="DELETE",route="/x"`},
		{"options", "OPTIONS", "/x", `method="OPTIONS",route="/x"`},
		{"no_route", "GET", "", `method="GET",route="none"`},
		{"made_up_method", "BREW-0x5f3759df", "", `method="other",route="none"`},
		{"lower_case_method", "get", "", `method="other",route="none"`},
		{"connect", "CONNECT", "", `method="other",route="none"`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			m := observe.NewMetrics()
			m.ObserveRequest(tt.method, tt.template, 200, 0)

			want := []string{`portico_http_requests_total{` + tt.want + `,status="200"} 1`}
			if diff := cmp.Diff(want, scrape(t, m, "portico_http_requests_total")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMetricsShowWhatWasObserved(t *testing.T) {
	t.Parallel()

	m := observe.NewMetrics()
	ended := m.RequestStarted()
	m.RequestStarted()
	ended()

	m.ObserveRequest("GET", "/a", 200, 30*time.Millisecond)
	m.ObserveRequest("GET", "/a", 200, 30*time.Millisecond)
	m.ObserveRequest("GET", "/a", 503, 30*time.Millisecond)
	m.ObserveCall("order", "/order.v1.OrderService/GetOrder", codes.OK, 2*time.Millisecond)
	m.ObserveCall("order", "/order.v1.OrderService/GetOrder", codes.DeadlineExceeded, 2*time.Second)
	m.ObserveBreaker("order", "", breaker.Closed)
	m.ObserveBreaker("order", "/order.v1.OrderService/GetOrder", breaker.Open)
	m.ObserveBreaker("user", "", breaker.HalfOpen)
	m.ObserveBreaker("profile", "", breaker.Closed)
	m.ObserveBreaker("profile", "", breaker.Open)
	m.ObserveLimit("order", 200)
	m.ObserveLimit("order", 180)
	m.ObserveEjection("order", "failures")
	m.ObserveMissing("/dashboard.v1.DashboardService/GetDashboard", "orders", codes.Unavailable)

	m.WatchRefused(func() (requests, streams int64) { return 3, 4 })
	m.WatchDelay(func() time.Duration { return 2 * time.Millisecond }, func() int64 { return 5 })

	const rpc = `rpc="/order.v1.OrderService/GetOrder",upstream="order"`

	tests := []struct {
		metric string
		want   []string
	}{
		{"portico_http_requests_in_flight", []string{"portico_http_requests_in_flight 1"}},
		{"portico_http_requests_total", []string{
			`portico_http_requests_total{method="GET",route="/a",status="200"} 2`,
			`portico_http_requests_total{method="GET",route="/a",status="503"} 1`,
		}},
		{"portico_http_request_duration_seconds_count", []string{
			`portico_http_request_duration_seconds_count{method="GET",route="/a"} 3`,
		}},
		{"portico_overload_refused_total", []string{
			`portico_overload_refused_total{reason="cpu"} 5`,
			`portico_overload_refused_total{reason="requests"} 3`,
			`portico_overload_refused_total{reason="streams"} 4`,
		}},
		{"portico_overload_cpu_delay_seconds", []string{"portico_overload_cpu_delay_seconds 0.002"}},
		{"portico_upstream_calls_total", []string{
			`portico_upstream_calls_total{code="DEADLINE_EXCEEDED",` + rpc + `} 1`,
			`portico_upstream_calls_total{code="OK",` + rpc + `} 1`,
		}},
		{"portico_upstream_call_duration_seconds_sum", []string{
			`portico_upstream_call_duration_seconds_sum{` + rpc + `} 2.002`,
		}},
		{"portico_composite_missing_parts_total", []string{
			`portico_composite_missing_parts_total{code="UNAVAILABLE",part="orders",rpc="/dashboard.v1.DashboardService/GetDashboard"} 1`,
		}},
		{"portico_upstream_breaker_state", []string{
			`portico_upstream_breaker_state{upstream="order"} 0`,
			`portico_upstream_breaker_state{upstream="profile"} 2`,
			`portico_upstream_breaker_state{upstream="user"} 1`,
		}},
		{"portico_upstream_method_breaker_state", []string{`portico_upstream_method_breaker_state{` + rpc + `} 2`}},
		{"portico_upstream_concurrency_limit", []string{`portico_upstream_concurrency_limit{upstream="order"} 180`}},
		{"portico_upstream_ejections_total", []string{
			`portico_upstream_ejections_total{reason="failures",upstream="order"} 1`,
		}},
	}

	for _, tt := range tests {
		t.Run(tt.metric, func(t *testing.T) {
			t.Parallel()

			if diff := cmp.Diff(tt.want, scrape(t, m, tt.metric)); diff != "" {
				t.Error(diff)
			}
		})
	}

	if len(scrape(t, m, "go_goroutines")) != 1 {
		t.Error("the metrics of the Go runtime are missing")
	}
}

// Two gateways in one process must not register the same metric twice.
func TestMetricsAreNotGlobal(t *testing.T) {
	t.Parallel()

	a, b := observe.NewMetrics(), observe.NewMetrics()
	a.ObserveRequest("GET", "/a", 200, 0)

	if got := scrape(t, b, "portico_http_requests_total"); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, level, format string
		want                []string
	}{
		{"json_from_info", "info", "json", []string{`"level":"INFO","msg":"two","n":1}`, `"level":"ERROR","msg":"three"}`}},
		{"text_from_info", "info", "text", []string{"level=INFO msg=two n=1", "level=ERROR msg=three"}},
		{"json_from_debug", "debug", "json", []string{`"msg":"one"`, `"msg":"two"`, `"msg":"three"`}},
		{"text_from_error", "error", "text", []string{"msg=three"}},
		{"level_in_capitals", "ERROR", "text", []string{"msg=three"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var out strings.Builder

			logger, err := observe.OpenLog(&out, config.Log{Level: tt.level, Format: tt.format})
			if err != nil {
				t.Fatal(err)
			}

			logger.Debug("one")
			logger.Info("two", "n", 1)
			logger.Error("three")
			logger.Close()

			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("got %d lines, want %d:\n%s", len(lines), len(tt.want), out.String())
			}

			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("line %d: %s does not contain %s", i, lines[i], want)
				}
			}
		})
	}
}

func TestLoggerRefuses(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, level, format, want string }{
		{"unknown_level", "loud", "json", `"loud"`},
		{"no_level", "", "json", "level"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			logger, err := observe.OpenLog(t.Output(), config.Log{Level: tt.level, Format: tt.format})
			if logger != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The first sample of a kind finds its metric by its labels; all others cost what counting costs.
func BenchmarkObserve(b *testing.B) {
	m := observe.NewMetrics()

	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()

		for b.Loop() {
			m.RequestStarted()()
			m.ObserveRequest(http.MethodGet, "/v1/users/{user_id}", http.StatusOK, time.Millisecond)
		}
	})
	b.Run("call", func(b *testing.B) {
		b.ReportAllocs()

		for b.Loop() {
			m.ObserveCall("user", "/user.v1.UserService/GetUser", codes.OK, time.Millisecond)
		}
	})
}

// Samples of many kinds from many goroutines are all counted, each with its own.
func TestSamplesAtTheSameTime(t *testing.T) {
	t.Parallel()

	const kinds, rounds = 20, 50

	m := observe.NewMetrics()

	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for n := range kinds * rounds {
				m.ObserveCall("user", fmt.Sprint("/s/M", n%kinds), codes.OK, time.Millisecond)
			}
		})
	}

	wait.Wait()

	samples := scrape(t, m, "portico_upstream_calls_total")
	if len(samples) != kinds {
		t.Fatalf("%d kinds: %q", len(samples), samples)
	}

	for _, sample := range samples {
		if !strings.HasSuffix(sample, " 400") {
			t.Errorf("got %s", sample)
		}
	}
}
