package observe

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// Metrics counts requests and calls. Its labels come from bounded sets alone: route templates, HTTP methods that have a meaning
// here, RPCs, codes and backends. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	// own are those of the gateway, without those of the Go runtime and the process.
	own          collection
	inFlight     prometheus.Gauge
	requests     *prometheus.CounterVec
	latency      *prometheus.HistogramVec
	calls        *prometheus.CounterVec
	callLatency  *prometheus.HistogramVec
	breakerState *prometheus.GaugeVec
	methodState  *prometheus.GaugeVec
	limit        *prometheus.GaugeVec
	ejections    *prometheus.CounterVec
	cache        *prometheus.CounterVec
	redisState   prometheus.Gauge
	redisFails   *prometheus.CounterVec
	limitOutages prometheus.Counter
	files        *prometheus.GaugeVec

	// What every request adds to, without a look at its labels.
	requestSeries series[requestKey, sampled]
	callSeries    series[callKey, sampled]
	cacheSeries   series[cacheKey, prometheus.Counter]
	ended         func()
}

const (
	labelUpstream = "upstream"
	labelRPC      = "rpc"
)

// NewMetrics returns metrics with a registry of their own, together with those of the Go runtime and the process.
func NewMetrics() *Metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

	m := &Metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "portico_http_requests_in_flight", Help: "Requests that are being answered.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_http_requests_total", Help: "Answered requests by method, route template and HTTP status.",
		}, []string{"method", "route", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "portico_http_request_duration_seconds", Help: "Time from a request's arrival to the end of its answer.",
			Buckets: buckets,
		}, []string{"method", "route"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_upstream_calls_total", Help: "Calls to backends by upstream, RPC and gRPC code.",
		}, []string{labelUpstream, labelRPC, "code"}),
		callLatency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "portico_upstream_call_duration_seconds", Help: "Time of a call to a backend.", Buckets: buckets,
		}, []string{labelUpstream, labelRPC}),
		breakerState: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "portico_upstream_breaker_state", Help: "State of the circuit breaker: 0 closed, 1 half-open, 2 open.",
		}, []string{labelUpstream}),
		methodState: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "portico_upstream_method_breaker_state",
			Help: "State of the circuit breaker of a method that has its own: 0 closed, 1 half-open, 2 open.",
		}, []string{labelUpstream, labelRPC}),
		limit: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "portico_upstream_concurrency_limit", Help: "How many calls to an upstream may be under way at once.",
		}, []string{labelUpstream}),
		ejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_upstream_ejections_total", Help: "Addresses that were left out for a while, by reason.",
		}, []string{labelUpstream, "reason"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_cache_events_total", Help: "What the cache did, by RPC: hit, stale, miss, collapsed, bypass, stored, …",
		}, []string{labelRPC, "event"}),
		redisState: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "portico_redis_breaker_state", Help: "State of the circuit breaker of Redis: 0 closed, 1 half-open, 2 open.",
		}),
		redisFails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_redis_failures_total",
			Help: "Commands to Redis that failed, by reason: unreachable, the code of an error reply, …",
		}, []string{"reason"}),
		limitOutages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "portico_rate_limit_outages_total", Help: "Requests on which the shared store did not decide in time.",
		}),
		files: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "portico_file_state",
			Help: "State of files that are read again when they change: 0 in use; 1 missing, 2 faulty: the one before is in use.",
		}, []string{"setting"}),
	}

	m.register(m.inFlight, m.requests, m.latency, m.calls, m.callLatency, m.breakerState, m.methodState, m.limit,
		m.ejections, m.cache, m.redisState, m.redisFails, m.limitOutages, m.files)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.resolve()

	return m
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

// resolve says how the children of the metrics are found that every request adds to.
func (m *Metrics) resolve() {
	m.ended = m.inFlight.Dec
	m.requestSeries.resolve = func(k requestKey) sampled {
		template := routeLabel(k.template)

		return sampled{
			m.requests.WithLabelValues(k.method, template, strconv.Itoa(k.status)), m.latency.WithLabelValues(k.method, template),
		}
	}
	m.callSeries.resolve = func(k callKey) sampled {
		return sampled{
			m.calls.WithLabelValues(k.upstream, k.rpc, problem.CodeName(k.code)), m.callLatency.WithLabelValues(k.upstream, k.rpc),
		}
	}
	m.cacheSeries.resolve = func(k cacheKey) prometheus.Counter { return m.cache.WithLabelValues(k.rpc, k.event) }
}

// Watch shows what is under way, as the functions say when they are asked. They must be safe for concurrent use.
func (m *Metrics) Watch(inFlight func() (requests, streams int64), connections func() int) {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}

	m.register(
		gauge("portico_overload_requests", "Requests that take a place of overload.max_in_flight.", func() float64 {
			requests, _ := inFlight()

			return float64(requests)
		}),
		gauge("portico_overload_streams", "Streams that take a place of overload.max_streams.", func() float64 {
			_, streams := inFlight()

			return float64(streams)
		}),
		gauge("portico_connections", "Open connections of clients.", func() float64 { return float64(connections()) }),
	)
}

// WatchLog shows how many lines of the log were dropped, as the function says when it is asked. It must be safe for concurrent use.
func (m *Metrics) WatchLog(dropped func() uint64) {
	m.register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "portico_log_lines_dropped_total", Help: "Lines of the log that were dropped, because they were not read in time.",
	}, func() float64 { return float64(dropped()) }))
}

// WatchResponses shows how many bytes of answers wait for clients to read them, and how many answers were cut off because of that.
func (m *Metrics) WatchResponses(buffered, cutOff func() int64) {
	m.register(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portico_buffered_response_bytes", Help: "Bytes of answers that wait for clients to read them.",
		}, func() float64 { return float64(buffered()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "portico_responses_cut_off_total", Help: "Answers that were cut off because too much waited for slow clients.",
		}, func() float64 { return float64(cutOff()) }),
	)
}

// Handler serves the metrics in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// RequestStarted counts a request that is being answered, until the returned function is called.
func (m *Metrics) RequestStarted() (ended func()) {
	m.inFlight.Inc()

	return m.ended
}

// ObserveRequest counts an answered request. An empty template stands for a request that matched no route.
func (m *Metrics) ObserveRequest(method, template string, status int, took time.Duration) {
	m.requestSeries.of(requestKey{methodLabel(method), template, status}).add(took)
}

// ObserveCall counts a call to a backend.
func (m *Metrics) ObserveCall(upstream, rpc string, code codes.Code, took time.Duration) {
	m.callSeries.of(callKey{upstream, rpc, code}).add(took)
}

// ObserveBreaker notes the state of the breaker of a method or, if rpc is empty, of the whole upstream.
func (m *Metrics) ObserveBreaker(upstream, rpc string, state breaker.State) {
	if rpc != "" {
		m.methodState.WithLabelValues(upstream, rpc).Set(float64(state))

		return
	}

	m.breakerState.WithLabelValues(upstream).Set(float64(state))
}

// ObserveLimit notes how many calls may be under way at once.
func (m *Metrics) ObserveLimit(upstream string, limit int) {
	m.limit.WithLabelValues(upstream).Set(float64(limit))
}

// ObserveEjection counts an address that is left out.
func (m *Metrics) ObserveEjection(upstream, reason string) {
	m.ejections.WithLabelValues(upstream, reason).Inc()
}

// ObserveCache counts what the cache did. The RPC is empty where it was for none.
func (m *Metrics) ObserveCache(rpc, event string) { m.cacheSeries.of(cacheKey{rpc, event}).Inc() }

// ObserveRedis notes the state of the breaker of Redis: 0 closed, 1 half-open, 2 open.
func (m *Metrics) ObserveRedis(state int) { m.redisState.Set(float64(state)) }

// ObserveRedisFailure counts a command that failed. The reasons come from a bounded set.
func (m *Metrics) ObserveRedisFailure(reason string) { m.redisFails.WithLabelValues(reason).Inc() }

// ObserveLimitOutage counts a request that the shared store of rate limits did not decide on.
func (m *Metrics) ObserveLimitOutage() { m.limitOutages.Inc() }

// ObserveFile notes the state of the files of a setting.
func (m *Metrics) ObserveFile(setting string, state filewatch.State) {
	m.files.WithLabelValues(setting).Set(float64(state))
}

func routeLabel(template string) string {
	if template == "" {
		return "none"
	}

	return template
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
