package observe

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/portico-gateway/portico/bff/config"
)

// Metrics counts requests and calls, and shows the state of what is watched. Its labels come from bounded sets alone: route
// templates, HTTP methods that have a meaning here, RPCs, codes, limits, settings, backends and their addresses. It is safe for
// concurrent use, and outlives the configuration: what Watch… methods add is shown until its release.
//
// The page docs/metrics.md lists all metrics; a test compares it with a gateway.
type Metrics struct {
	// own has the metrics of the gateway, process those of the Go runtime and the process.
	own, process *prometheus.Registry
	settings     config.Metrics

	requests  requests
	calls     calls
	upstreams upstreams
	limits    limits
	stores    stores
	overload  overload
	trust     trust
	about     about
	actions   actions
}

// The labels that several metrics have.
const (
	labelUpstream = "upstream"
	labelRPC      = "rpc"
	labelReason   = "reason"
	labelRoute    = "route"
	labelMethod   = "method"
	labelStatus   = "status"
	labelCode     = "code"
	labelEvent    = "event"
	labelLimit    = "limit"
	labelKeyKind  = "key_kind"
	labelDecision = "decision"
)

// NewMetrics returns metrics with a registry of their own, together with those of the Go runtime and the process.
func NewMetrics(settings config.Metrics) *Metrics {
	m := &Metrics{own: prometheus.NewRegistry(), process: prometheus.NewRegistry(), settings: settings}
	m.process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	m.addRequests()
	m.addCalls()
	m.addUpstreams()
	m.addLimits()
	m.addStores()
	m.addOverload()
	m.addTrust()
	m.addAbout()
	m.addActions()

	return m
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return promauto.With(m.own).NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	return promauto.With(m.own).NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Each bucket is at most 10 % wider than the one below. The buckets of a series are reset, an hour apart at the least, when there
// are more than maxNativeBuckets.
const (
	nativeFactor     = 1.1
	maxNativeBuckets = 160
)

// histogram is one of durations, in seconds.
func (m *Metrics) histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	opts := prometheus.HistogramOpts{Name: name, Help: help, Buckets: durations()}
	if m.settings.NativeHistograms {
		opts.NativeHistogramBucketFactor = nativeFactor
		opts.NativeHistogramMaxBucketNumber, opts.NativeHistogramMinResetDuration = maxNativeBuckets, time.Hour
	}

	return promauto.With(m.own).NewHistogramVec(opts, labels)
}

// durations are the upper bounds of the buckets of histograms, in seconds.
func durations() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// Export registers the metrics of the gateway in another registry as well, until release is called.
func (m *Metrics) Export(registerer prometheus.Registerer) (release func(), err error) {
	if err := registerer.Register(m.own); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}

	return func() { registerer.Unregister(m.own) }, nil
}

// Handler serves the metrics: in the OpenMetrics text format, with exemplars, the Prometheus text format, or its protobuf format,
// as the scraper asks.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{m.own, m.process}, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
