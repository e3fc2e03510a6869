package observe_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// get returns the metrics in a format.
func get(tb testing.TB, m *observe.Metrics, accept string) *httptest.ResponseRecorder {
	tb.Helper()

	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	m.Handler().ServeHTTP(w, r)

	if w.Code != http.StatusOK {
		tb.Fatalf("got %d, %s", w.Code, w.Body)
	}

	return w
}

// scrape returns the samples of one metric, in the text format of Prometheus.
func scrape(tb testing.TB, m *observe.Metrics, metric string) []string {
	tb.Helper()

	w := get(tb, m, "")
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		tb.Fatalf("got %s", w.Header().Get("Content-Type"))
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

// Full methods, and what metrics call one.
const (
	rpcGetOrder  = "/order.v1.OrderService/GetOrder"
	rpcDashboard = "/dashboard.v1.DashboardService/GetDashboard"
	rpcLabel     = `rpc="order.v1.OrderService.GetOrder"`
)

// observed are metrics of all kinds of events.
func observed() *observe.Metrics {
	m := observe.NewMetrics(config.Metrics{})
	ended := m.RequestStarted()
	m.RequestStarted()
	ended()

	m.ObserveRequest("GET", &reqinfo.Record{Template: "/a"}, 200, 30*time.Millisecond)
	m.ObserveRequest("GET", &reqinfo.Record{Template: "/a"}, 200, 30*time.Millisecond)
	m.ObserveRequest("GET", refusedBy("/a", reqinfo.ReasonBreaker), 503, 30*time.Millisecond)
	m.ObserveRequest("GET", refusedBy("", reqinfo.ReasonNoRoute), 404, 0)
	m.ObserveMissing(rpcDashboard, "orders", codes.Unavailable)

	m.ObserveCall(upstream.CallResult{Upstream: "order", RPC: rpcGetOrder, Took: 2 * time.Millisecond, Retries: 3, Hedge: upstream.HedgeWon})
	m.ObserveCall(upstream.CallResult{Upstream: "order", RPC: rpcGetOrder, Code: codes.DeadlineExceeded, Took: 2 * time.Second, Retries: 1})
	m.ObserveRefusedCall("order", rpcGetOrder, reqinfo.ReasonBreaker)
	m.ObserveBreaker("order", "", breaker.Closed)
	m.ObserveBreaker("order", rpcGetOrder, breaker.HalfOpen)
	m.ObserveBreaker("order", rpcGetOrder, breaker.Open)
	m.ObserveEjection("order", "failures")

	allowed, refused := m.RateLimit(rpcGetOrder, "writes", "principal")
	allowed()
	allowed()
	refused()
	m.RateLimit("", "limits.client", "client")

	m.ObserveCache(rpcGetOrder, "hit")
	m.ObserveIdempotency(rpcGetOrder, "replayed")
	m.ObserveSession("login", "done")
	m.ObserveRedisCommand("take", 3*time.Millisecond)
	m.ObserveRedisFailure("oom")
	m.ObserveRedis(2)
	m.ObserveAcceptError("server")
	m.ObserveFile("auth.api_keys.file", filewatch.Faulty)

	return m
}

func refusedBy(template string, reason reqinfo.Reason) *reqinfo.Record {
	rec := &reqinfo.Record{Template: template}
	rec.Refuse(reqinfo.Refusal{Reason: reason})

	return rec
}

func TestMetricsCountWhatWasObserved(t *testing.T) {
	t.Parallel()

	m := observed()

	const rpc = rpcLabel + `,upstream="order"`

	tests := []struct {
		metric string
		want   []string
	}{
		{"portico_http_requests_in_flight", []string{" 1"}},
		{"portico_http_requests_total", []string{
			`{method="GET",route="/a",status="200"} 2`, `{method="GET",route="/a",status="503"} 1`,
			`{method="GET",route="none",status="404"} 1`,
		}},
		{"portico_http_requests_refused_total", []string{`{reason="breaker",route="/a"} 1`, `{reason="no_route",route="none"} 1`}},
		{"portico_http_request_duration_seconds_count", []string{
			`{method="GET",route="/a"} 3`, `{method="GET",route="none"} 1`,
		}},
		{"portico_composite_missing_parts_total", []string{
			`{code="UNAVAILABLE",part="orders",rpc="dashboard.v1.DashboardService.GetDashboard"} 1`,
		}},
		{"portico_upstream_calls_total", []string{`{code="DEADLINE_EXCEEDED",` + rpc + `} 1`, `{code="OK",` + rpc + `} 1`}},
		{"portico_upstream_call_duration_seconds_sum", []string{`{` + rpc + `} 2.002`}},
		{"portico_upstream_calls_refused_total", []string{`{reason="breaker",` + rpc + `} 1`}},
		{"portico_upstream_retries_total", []string{`{outcome="failed",` + rpc + `} 3`, `{outcome="succeeded",` + rpc + `} 1`}},
		{"portico_upstream_hedges_total", []string{`{outcome="won",` + rpc + `} 1`}},
		{"portico_upstream_breaker_openings_total", []string{`{rpc="",upstream="order"} 0`, `{` + rpc + `} 1`}},
		{"portico_upstream_ejections_total", []string{`{reason="failures",upstream="order"} 1`}},
		{"portico_rate_limit_decisions_total", []string{
			`{decision="allowed",key_kind="client",limit="limits.client",rpc=""} 0`,
			`{decision="allowed",key_kind="principal",limit="writes",` + rpcLabel + `} 2`,
			`{decision="refused",key_kind="client",limit="limits.client",rpc=""} 0`,
			`{decision="refused",key_kind="principal",limit="writes",` + rpcLabel + `} 1`,
		}},
		{"portico_cache_events_total", []string{`{event="hit",` + rpcLabel + `} 1`}},
		{"portico_idempotency_requests_total", []string{`{outcome="replayed",` + rpcLabel + `} 1`}},
		{"portico_redis_command_duration_seconds_sum", []string{`{command="take"} 0.003`}},
		{"portico_redis_failures_total", []string{`{reason="oom"} 1`, `{reason="unreachable"} 0`}},
		{"portico_redis_breaker_state", []string{" 2"}},
		{"portico_file_state", []string{`{setting="auth.api_keys.file"} 2`}},
		{"go_goroutines", scrape(t, m, "go_goroutines")[:1]},
	}

	for _, tt := range tests {
		t.Run(tt.metric, func(t *testing.T) {
			t.Parallel()

			for i, sample := range tt.want {
				if !strings.HasPrefix(sample, tt.metric) {
					tt.want[i] = tt.metric + sample
				}
			}

			if got := scrape(t, m, tt.metric); tt.metric != "go_goroutines" && !cmp.Equal(tt.want, got) {
				t.Error(cmp.Diff(tt.want, got))
			}
		})
	}
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

			m := observe.NewMetrics(config.Metrics{})
			m.ObserveRequest(tt.method, &reqinfo.Record{Template: tt.template}, 200, 0)

			want := []string{`portico_http_requests_total{` + tt.want + `,status="200"} 1`}
			if diff := cmp.Diff(want, scrape(t, m, "portico_http_requests_total")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// watched are metrics of everything that can be watched.
func watched(m *observe.Metrics) (release func()) {
	expires := time.Unix(2_000_000_000, 500_000_000)
	releases := []func(){
		m.Watch(func() (requests, streams int64) { return 3, 4 }, func() int { return 5 }),
		m.WatchRefused(func() (requests, streams int64) { return 6, 7 }),
		m.WatchDelay(func() time.Duration { return 2 * time.Millisecond }, func() int64 { return 8 }),
		m.WatchOverloadLimits(func() observe.OverloadLimits {
			return observe.OverloadLimits{Requests: 100, Streams: 200, TargetDelay: 5 * time.Millisecond}
		}),
		m.WatchResponses(func() int64 { return 9 }, func() int64 { return 10 }),
		m.WatchLog(func() uint64 { return 11 }),
		m.WatchConfig(func() string { return "0123" }),
		m.WatchCertificates(func() map[string]time.Time { return map[string]time.Time{"server.tls.cert_file": expires} }),
		m.WatchIssuers(func() map[string]time.Time { return map[string]time.Time{"here": expires, "never": {}} }),
		m.WatchUpstreams(func() []upstream.Status {
			return []upstream.Status{{
				Name: "order", Breaker: "half-open", Methods: map[string]string{"order.v1.OrderService.GetOrder": "open"},
				Limit: 200, InFlight: 3, Calls: 4, Addresses: []balance.Address{{Address: "10.0.0.1:9000", State: balance.Ejected}},
			}, {Name: "user", Breaker: "closed"}}
		}),
	}

	return func() {
		for _, release := range releases {
			release()
		}
	}
}

func TestMetricsShowWhatIsWatched(t *testing.T) {
	t.Parallel()

	m := observe.NewMetrics(config.Metrics{})
	watched(m)

	var states []string
	for _, state := range []string{"connecting", "drained", "ejected", "failing", "idle", "ready", "unhealthy", "unresponsive"} {
		value := " 0"
		if state == "ejected" {
			value = " 1"
		}

		states = append(states, `portico_upstream_address_state{address="10.0.0.1:9000",state="`+state+`",upstream="order"}`+value)
	}

	for metric, want := range map[string][]string{
		"portico_overload_requests":                    {"portico_overload_requests 3"},
		"portico_overload_streams":                     {"portico_overload_streams 4"},
		"portico_connections":                          {"portico_connections 5"},
		"portico_overload_requests_limit":              {"portico_overload_requests_limit 100"},
		"portico_overload_streams_limit":               {"portico_overload_streams_limit 200"},
		"portico_overload_cpu_delay_target_seconds":    {"portico_overload_cpu_delay_target_seconds 0.005"},
		"portico_overload_cpu_delay_seconds":           {"portico_overload_cpu_delay_seconds 0.002"},
		"portico_buffered_response_bytes":              {"portico_buffered_response_bytes 9"},
		"portico_responses_cut_off_total":              {"portico_responses_cut_off_total 10"},
		"portico_log_lines_dropped_total":              {"portico_log_lines_dropped_total 11"},
		"portico_config_info":                          {`portico_config_info{hash="0123"} 1`},
		"portico_certificate_expiry_timestamp_seconds": {`portico_certificate_expiry_timestamp_seconds{setting="server.tls.cert_file"} 2.0000000005e+09`},
		"portico_issuer_keys_fetched_timestamp_seconds": {
			`portico_issuer_keys_fetched_timestamp_seconds{issuer="here"} 2.0000000005e+09`,
			`portico_issuer_keys_fetched_timestamp_seconds{issuer="never"} 0`,
		},
		"portico_overload_refused_total": {
			`portico_overload_refused_total{reason="cpu"} 8`, `portico_overload_refused_total{reason="requests"} 6`,
			`portico_overload_refused_total{reason="streams"} 7`,
		},
		"portico_upstream_address_state":        states,
		"portico_upstream_calls_in_flight":      {`portico_upstream_calls_in_flight{upstream="order"} 4`, `portico_upstream_calls_in_flight{upstream="user"} 0`},
		"portico_upstream_concurrency":          {`portico_upstream_concurrency{upstream="order"} 3`},
		"portico_upstream_concurrency_limit":    {`portico_upstream_concurrency_limit{upstream="order"} 200`},
		"portico_upstream_breaker_state":        {`portico_upstream_breaker_state{upstream="order"} 1`, `portico_upstream_breaker_state{upstream="user"} 0`},
		"portico_upstream_method_breaker_state": {`portico_upstream_method_breaker_state{` + rpcLabel + `,upstream="order"} 2`},
	} {
		if diff := cmp.Diff(want, scrape(t, m, metric)); diff != "" {
			t.Error(diff)
		}
	}
}

// While a configuration takes the place of another, both are watched.
func TestOneConfigurationTakesThePlaceOfAnother(t *testing.T) {
	t.Parallel()

	m := observe.NewMetrics(config.Metrics{})
	address := func(at string) func() []upstream.Status {
		return func() []upstream.Status {
			return []upstream.Status{{Name: "order", Addresses: []balance.Address{{Address: at, State: balance.Ready}}}}
		}
	}
	inFlight := func(n int64) func() (requests, streams int64) {
		return func() (requests, streams int64) { return n, 0 }
	}
	connections := func() int { return 1 }

	var old []func()

	old = append(old,
		m.WatchUpstreams(address("old:1")), m.WatchConfig(func() string { return "old" }), m.Watch(inFlight(2), connections),
		m.WatchRefused(inFlight(5)))
	release := m.WatchUpstreams(address("new:1"))
	m.WatchConfig(func() string { return "new" })
	m.Watch(inFlight(3), connections)
	m.WatchRefused(inFlight(1))

	check := func(when string, want map[string]string) {
		for metric, sample := range want {
			if got := scrape(t, m, metric); !slices.Contains(got, metric+sample) {
				t.Errorf("%s: got %q, want %s", when, got, sample)
			}
		}
	}

	ready := `{address="new:1",state="ready",upstream="order"} 1`
	check("both", map[string]string{
		"portico_overload_requests": " 5", "portico_config_info": `{hash="new"} 1`, "portico_upstream_address_state": ready,
		"portico_overload_refused_total": `{reason="requests"} 6`,
	})

	for _, each := range old {
		each()
		each() // A further time changes nothing.
	}

	check("the new one", map[string]string{
		"portico_overload_requests": " 3", "portico_config_info": `{hash="new"} 1`, "portico_upstream_address_state": ready,
		// What it has counted stays.
		"portico_overload_refused_total": `{reason="requests"} 6`,
	})

	if got := scrape(t, m, "portico_upstream_address_state"); len(got) != len(balance.States()) {
		t.Errorf("the old address is still there: %q", got)
	}

	release()

	if got := scrape(t, m, "portico_upstream_address_state"); got != nil {
		t.Errorf("without an upstream: %q", got)
	}
}

// Two gateways in one process must not register the same metric twice.
func TestMetricsAreNotGlobal(t *testing.T) {
	t.Parallel()

	a, b := observe.NewMetrics(config.Metrics{}), observe.NewMetrics(config.Metrics{})
	a.ObserveRequest("GET", &reqinfo.Record{Template: "/a"}, 200, 0)

	if got := scrape(t, b, "portico_http_requests_total"); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// The names, types and texts are as Prometheus wants them, and a registry of a program accepts them.
func TestMetricsAreWellFormed(t *testing.T) {
	t.Parallel()

	m := observed()
	watched(m)

	registry := prometheus.NewPedanticRegistry()

	release, err := m.Export(registry)
	if err != nil {
		t.Fatal(err)
	}
	defer release()

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}

	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}

	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestExemplarsNameTraces(t *testing.T) {
	t.Parallel()

	m := observe.NewMetrics(config.Metrics{})
	traced := func(id string) *reqinfo.Record {
		return &reqinfo.Record{Template: "/a", Trace: reqinfo.Trace{TraceID: id, Sampled: true}}
	}

	m.ObserveRequest("GET", traced(""), 200, 30*time.Millisecond)
	m.ObserveRequest("GET", traced("4bf92f3577b34da6a3ce929d0e0e4736"), 200, 30*time.Millisecond)
	// One in the same bucket so soon is not worth its cost, and one in another bucket is.
	m.ObserveRequest("GET", traced("00000000000000000000000000000001"), 200, 31*time.Millisecond)
	m.ObserveRequest("GET", traced("00000000000000000000000000000002"), 200, 3*time.Second)
	m.ObserveCall(upstream.CallResult{Upstream: "user", RPC: rpcGetOrder, TraceID: "00000000000000000000000000000003"})

	w := get(t, m, "application/openmetrics-text;version=1.0.0")
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/openmetrics-text") {
		t.Errorf("got %s", w.Header().Get("Content-Type"))
	}

	text := w.Body.String()

	for _, want := range []string{
		`portico_http_request_duration_seconds_bucket{method="GET",route="/a",le="0.05"} 3 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.03 `,
		`le="5.0"} 4 # {trace_id="00000000000000000000000000000002"} 3.0 `,
		`# {trace_id="00000000000000000000000000000003"} 0.0 `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestNativeHistogramsAreAnOption(t *testing.T) {
	t.Parallel()

	for _, native := range []bool{false, true} {
		m, registry := observe.NewMetrics(config.Metrics{NativeHistograms: native}), prometheus.NewRegistry()
		m.ObserveRequest("GET", &reqinfo.Record{}, 200, time.Second)

		if _, err := m.Export(registry); err != nil {
			t.Fatal(err)
		}

		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}

		for _, family := range families {
			if family.GetName() != "portico_http_request_duration_seconds" {
				continue
			}

			h := family.GetMetric()[0].GetHistogram()
			if (h.Schema != nil) != native || len(h.GetBucket()) == 0 {
				t.Errorf("native %t: %s", native, h)
			}
		}
	}
}
