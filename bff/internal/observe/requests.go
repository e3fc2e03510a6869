package observe

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// requests are the metrics of what clients send.
type requests struct {
	inFlight prometheus.Gauge
	// ended is made once, not for each request.
	ended   func()
	served  series[requestKey, sampled]
	refused series[refusedKey, prometheus.Counter]
	missing series[missingKey, prometheus.Counter]
	// totals and latencies are what served adds to.
	totals    *prometheus.CounterVec
	latencies *prometheus.HistogramVec
}

type (
	requestKey struct {
		method, template string
		status           int
	}
	refusedKey struct {
		template string
		reason   reqinfo.Reason
	}
	missingKey struct {
		rpc, part string
		code      codes.Code
	}
)

// routeLabel is the route of requests that match none.
func routeLabel(template string) string { return cmp.Or(template, noRoute) }

const noRoute = "none"

func (m *Metrics) addRequests() {
	r := &m.requests
	r.inFlight = m.gauge("portico_http_requests_in_flight", "Requests that are being served.").WithLabelValues()
	r.ended = r.inFlight.Dec

	served := m.counter("portico_http_requests_total",
		"Requests by method, route template and HTTP status.", labelMethod, labelRoute, labelStatus)
	latency := m.histogram("portico_http_request_duration_seconds",
		"Time from a request's arrival to the end of its response.", labelMethod, labelRoute)
	r.totals, r.latencies = served, latency
	r.served.resolve = func(k requestKey) sampled {
		route := routeLabel(k.template)
		return newSampled(served.WithLabelValues(k.method, route, strconv.Itoa(k.status)), latency.WithLabelValues(k.method, route))
	}

	refused := m.counter("portico_http_requests_refused_total",
		"Requests that the gateway refused itself, by reason and route template.", labelReason, labelRoute)
	r.refused.resolve = func(k refusedKey) prometheus.Counter {
		return refused.WithLabelValues(string(k.reason), routeLabel(k.template))
	}

	missing := m.counter("portico_composite_missing_parts_total",
		"Parts that were missing from responses of composites, by RPC, part and gRPC code.", labelRPC, "part", labelCode)
	r.missing.resolve = func(k missingKey) prometheus.Counter {
		return missing.WithLabelValues(reqinfo.Selector(k.rpc), k.part, problem.CodeName(k.code))
	}
}

// RequestStarted counts a request as in flight until the returned function is called.
func (m *Metrics) RequestStarted() (ended func()) {
	m.requests.inFlight.Inc()
	return m.requests.ended
}

// ObserveRequest counts a request that has this record. A record without a template means that it matched no route.
func (m *Metrics) ObserveRequest(method string, rec *reqinfo.Record, status int, took time.Duration) {
	m.requests.served.of(requestKey{methodLabel(method), rec.Template, status}).add(took, rec.Exemplar())

	if reason := rec.Refusal().Reason; reason != "" {
		m.requests.refused.of(refusedKey{rec.Template, reason}).Inc()
	}
}

// ObserveMissing counts a part that is missing from the response of a composite. Parts are fields of its message.
func (m *Metrics) ObserveMissing(rpc, part string, code codes.Code) {
	m.requests.missing.of(missingKey{rpc, part, code}).Inc()
}

// methodLabel keeps clients from making labels by inventing methods.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
		return method
	default:
		return "other"
	}
}
