package observe

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// Metrics counts requests and calls. Its labels come from bounded sets alone: route templates, HTTP methods that have a meaning
// here, RPCs, codes and backends. It is safe for concurrent use.
type Metrics struct {
	// own has the metrics of the gateway, process those of the Go runtime and the process.
	own, process *prometheus.Registry

	inFlight     prometheus.Gauge
	requests     series[requestKey, sampled]
	calls        series[callKey, sampled]
	cache        series[cacheKey, prometheus.Counter]
	missing      *prometheus.CounterVec
	breakerState *prometheus.GaugeVec
	methodState  *prometheus.GaugeVec
	limit        *prometheus.GaugeVec
	ejections    *prometheus.CounterVec
	redisState   prometheus.Gauge
	redisFails   *prometheus.CounterVec
	limitOutages prometheus.Counter
	files        *prometheus.GaugeVec
	acceptErrors *prometheus.CounterVec

	// requestEnded is made once, not for each request.
	requestEnded func()
}

const (
	labelUpstream = "upstream"
	labelRPC      = "rpc"
)

// NewMetrics returns metrics with a registry of their own, together with those of the Go runtime and the process.
func NewMetrics() *Metrics {
	m := &Metrics{own: prometheus.NewRegistry(), process: prometheus.NewRegistry()}
	m.process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	m.inFlight = m.gauge("portico_http_requests_in_flight", "Requests that are being served.").WithLabelValues()
	m.requestEnded = m.inFlight.Dec
	m.breakerState = m.gauge("portico_upstream_breaker_state",
		"State of the circuit breaker: 0 closed, 1 half-open, 2 open.", labelUpstream)
	m.methodState = m.gauge("portico_upstream_method_breaker_state",
		"State of the circuit breaker of a method that has its own: 0 closed, 1 half-open, 2 open.", labelUpstream, labelRPC)
	m.missing = m.counter("portico_composite_missing_parts_total",
		"Parts that were missing from responses of composites, by RPC, part and gRPC code.", labelRPC, "part", "code")
	m.limit = m.gauge("portico_upstream_concurrency_limit", "How many calls to an upstream may be in flight.", labelUpstream)
	m.ejections = m.counter("portico_upstream_ejections_total", "Addresses that were ejected, by reason.", labelUpstream, "reason")
	m.redisState = m.gauge("portico_redis_breaker_state",
		"State of the circuit breaker of Redis: 0 closed, 1 half-open, 2 open.").WithLabelValues()
	m.redisFails = m.counter("portico_redis_failures_total",
		"Commands to Redis that failed, by reason: unreachable, the code of an error reply, …", "reason")
	m.limitOutages = m.counter("portico_rate_limit_outages_total",
		"Requests on which the shared store did not decide in time.").WithLabelValues()
	m.files = m.gauge("portico_file_state",
		"State of files that are read again when they change: 0 in use; 1 missing, 2 faulty: the one before is in use.", "setting")
	m.acceptErrors = m.counter("portico_accept_errors_total",
		"Connections that could not be accepted, by listener: server, admin, health.", "listener")
	m.addSeries()

	return m
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return promauto.With(m.own).NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	return promauto.With(m.own).NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func (m *Metrics) histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return promauto.With(m.own).NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, labels)
}

type (
	requestKey struct {
		method, template string
		status           int
	}
	callKey struct {
		upstream, rpc string
		code          codes.Code
	}
	cacheKey struct{ rpc, event string }
)

// sampled is what a request or a call adds to.
type sampled struct {
	count   prometheus.Counter
	latency prometheus.Observer
}

func (s sampled) add(took time.Duration) {
	s.count.Inc()
	s.latency.Observe(took.Seconds())
}

// addSeries adds the metrics that every request adds to.
func (m *Metrics) addSeries() {
	requests := m.counter("portico_http_requests_total",
		"Requests by method, route template and HTTP status.", "method", "route", "status")
	latency := m.histogram("portico_http_request_duration_seconds",
		"Time from a request's arrival to the end of its response.", "method", "route")
	m.requests.resolve = func(k requestKey) sampled {
		route := cmp.Or(k.template, "none")
		return sampled{
			requests.WithLabelValues(k.method, route, strconv.Itoa(k.status)), latency.WithLabelValues(k.method, route),
		}
	}

	calls := m.counter("portico_upstream_calls_total",
		"Calls to backends by upstream, RPC and gRPC code.", labelUpstream, labelRPC, "code")
	callLatency := m.histogram("portico_upstream_call_duration_seconds", "Time of a call to a backend.", labelUpstream, labelRPC)
	m.calls.resolve = func(k callKey) sampled {
		return sampled{
			calls.WithLabelValues(k.upstream, k.rpc, problem.CodeName(k.code)), callLatency.WithLabelValues(k.upstream, k.rpc),
		}
	}

	cached := m.counter("portico_cache_events_total",
		"What the cache did, by RPC: hit, stale, miss, collapsed, bypass, stored, …", labelRPC, "event")
	m.cache.resolve = func(k cacheKey) prometheus.Counter { return cached.WithLabelValues(k.rpc, k.event) }
}

// Watch shows what is in flight, as the functions say at each scrape. They must be safe for concurrent use.
func (m *Metrics) Watch(inFlight func() (requests, streams int64), connections func() int) {
	m.gaugeFunc("portico_overload_requests", "Requests that count against overload.max_in_flight.", func() int64 {
		requests, _ := inFlight()
		return requests
	})
	m.gaugeFunc("portico_overload_streams", "Streams that count against overload.max_streams.", func() int64 {
		_, streams := inFlight()
		return streams
	})
	m.gaugeFunc("portico_connections", "Open connections of clients.", func() int64 { return int64(connections()) })
}

// The metric of requests that were refused because of overload, whose one label is why.
const (
	refusedName = "portico_overload_refused_total"
	refusedHelp = "Requests that were refused by the gateway because of overload, by what was overloaded: cpu, requests, streams."
)

// WatchRefused shows how many requests were refused because too many were in flight.
func (m *Metrics) WatchRefused(refused func() (requests, streams int64)) {
	m.refused("requests", func() int64 { requests, _ := refused(); return requests })
	m.refused("streams", func() int64 { _, streams := refused(); return streams })
}

// WatchDelay shows how long work waits for a CPU, and how many requests were refused because of that.
func (m *Metrics) WatchDelay(delay func() time.Duration, refused func() int64) {
	promauto.With(m.own).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "portico_overload_cpu_delay_seconds", Help: "How long work waited for a CPU, most recently.",
	}, func() float64 { return delay().Seconds() })
	m.refused("cpu", refused)
}

func (m *Metrics) refused(reason string, count func() int64) {
	promauto.With(m.own).NewCounterFunc(prometheus.CounterOpts{
		Name: refusedName, Help: refusedHelp, ConstLabels: prometheus.Labels{"reason": reason},
	}, func() float64 { return float64(count()) })
}

// WatchLog shows how many lines of the log were dropped, as the function says at each scrape. It must be safe for concurrent use.
func (m *Metrics) WatchLog(dropped func() uint64) {
	m.counterFunc("portico_log_lines_dropped_total", "Lines of the log that were dropped because they were not read in time.",
		func() int64 { return int64(dropped()) })
}

// WatchResponses shows how many bytes of responses are buffered for clients, and how many responses were cut off because of that.
func (m *Metrics) WatchResponses(buffered, cutOff func() int64) {
	m.gaugeFunc("portico_buffered_response_bytes", "Bytes of responses that clients have not read yet.", buffered)
	m.counterFunc("portico_responses_cut_off_total",
		"Responses that were cut off because too much was buffered for slow clients.", cutOff)
}

func (m *Metrics) gaugeFunc(name, help string, value func() int64) {
	promauto.With(m.own).NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
}

func (m *Metrics) counterFunc(name, help string, value func() int64) {
	promauto.With(m.own).NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
}

// Export registers the metrics of the gateway in another registry as well, until release is called. None may be added after it.
func (m *Metrics) Export(registerer prometheus.Registerer) (release func(), err error) {
	if err := registerer.Register(m.own); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}

	return func() { registerer.Unregister(m.own) }, nil
}

// Handler serves the metrics in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{m.own, m.process}, promhttp.HandlerOpts{})
}

// RequestStarted counts a request as in flight until the returned function is called.
func (m *Metrics) RequestStarted() (ended func()) {
	m.inFlight.Inc()
	return m.requestEnded
}

// ObserveRequest counts a request. An empty template means that it matched no route.
func (m *Metrics) ObserveRequest(method, template string, status int, took time.Duration) {
	m.requests.of(requestKey{methodLabel(method), template, status}).add(took)
}

// ObserveMissing counts a part that is missing from the response of a composite. Parts are fields of its message.
func (m *Metrics) ObserveMissing(rpc, part string, code codes.Code) {
	m.missing.WithLabelValues(rpc, part, problem.CodeName(code)).Inc()
}

// ObserveCall counts a call to a backend.
func (m *Metrics) ObserveCall(upstream, rpc string, code codes.Code, took time.Duration) {
	m.calls.of(callKey{upstream, rpc, code}).add(took)
}

// ObserveBreaker sets the state of the breaker of a method or, if rpc is empty, of the whole upstream.
func (m *Metrics) ObserveBreaker(upstream, rpc string, state breaker.State) {
	if rpc != "" {
		m.methodState.WithLabelValues(upstream, rpc).Set(float64(state))
		return
	}

	m.breakerState.WithLabelValues(upstream).Set(float64(state))
}

// ObserveLimit sets how many calls may be in flight.
func (m *Metrics) ObserveLimit(upstream string, limit int) {
	m.limit.WithLabelValues(upstream).Set(float64(limit))
}

// ObserveEjection counts an address that is ejected.
func (m *Metrics) ObserveEjection(upstream, reason string) {
	m.ejections.WithLabelValues(upstream, reason).Inc()
}

// ObserveCache counts what the cache did. The RPC is empty if it was for none.
func (m *Metrics) ObserveCache(rpc, event string) { m.cache.of(cacheKey{rpc, event}).Inc() }

// ObserveRedis sets the state of the breaker of Redis: 0 closed, 1 half-open, 2 open.
func (m *Metrics) ObserveRedis(state int) { m.redisState.Set(float64(state)) }

// ObserveRedisFailure counts a command that failed. The reasons come from a bounded set.
func (m *Metrics) ObserveRedisFailure(reason string) { m.redisFails.WithLabelValues(reason).Inc() }

// ObserveLimitOutage counts a request that the shared store of rate limits did not decide on.
func (m *Metrics) ObserveLimitOutage() { m.limitOutages.Inc() }

// ObserveFile sets the state of the files of a setting.
func (m *Metrics) ObserveFile(setting string, state filewatch.State) {
	m.files.WithLabelValues(setting).Set(float64(state))
}

// ObserveAcceptError counts a connection that a listener could not accept.
func (m *Metrics) ObserveAcceptError(listener string) { m.acceptErrors.WithLabelValues(listener).Inc() }

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
