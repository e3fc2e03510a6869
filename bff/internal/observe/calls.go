package observe

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// calls are the metrics of what the gateway sends to backends.
type calls struct {
	ended     series[callKey, sampled]
	refused   series[callEventKey, prometheus.Counter]
	retries   series[callEventKey, prometheus.Counter]
	hedges    series[callEventKey, prometheus.Counter]
	openings  *prometheus.CounterVec
	ejections *prometheus.CounterVec
	// totals and latencies are what ended adds to.
	totals    *prometheus.CounterVec
	latencies *prometheus.HistogramVec
}

type (
	callKey struct {
		upstream, rpc string
		code          codes.Code
	}
	callEventKey struct{ upstream, rpc, event string }
)

func (m *Metrics) addCalls() {
	c := &m.calls

	ended := m.counter("portico_upstream_calls_total",
		"Calls to backends by upstream, RPC and gRPC code.", labelUpstream, labelRPC, labelCode)
	latency := m.histogram("portico_upstream_call_duration_seconds", "Time of a call to a backend.", labelUpstream, labelRPC)
	c.totals, c.latencies = ended, latency
	c.ended.resolve = func(k callKey) sampled {
		rpc := reqinfo.Selector(k.rpc)
		count := ended.WithLabelValues(k.upstream, rpc, problem.CodeName(k.code))

		return newSampled(count, latency.WithLabelValues(k.upstream, rpc))
	}

	c.refused.resolve = m.callEvents("portico_upstream_calls_refused_total",
		"Calls to backends that were not made: breaker, concurrency or deadline.", labelReason)
	c.retries.resolve = m.callEvents("portico_upstream_retries_total",
		"Attempts that were sent after the first one of a call: succeeded or failed.", "outcome")
	c.hedges.resolve = m.callEvents("portico_upstream_hedges_total",
		"Second calls that were due because there was no reply in time: won or lost, or not made (no_budget).", "outcome")

	c.openings = m.counter("portico_upstream_breaker_openings_total",
		"How often the circuit breaker opened: that of the method or, without an RPC, that of the upstream.",
		labelUpstream, labelRPC)
	c.ejections = m.counter("portico_upstream_ejections_total", "Addresses that were ejected, by reason.",
		labelUpstream, labelReason)
}

// callEvents makes a counter by upstream, RPC and another label, and returns what finds its children.
func (m *Metrics) callEvents(name, help, label string) func(callEventKey) prometheus.Counter {
	counter := m.counter(name, help, labelUpstream, labelRPC, label)
	return func(k callEventKey) prometheus.Counter {
		return counter.WithLabelValues(k.upstream, reqinfo.Selector(k.rpc), k.event)
	}
}

// ObserveCall counts a call to a backend.
func (m *Metrics) ObserveCall(call upstream.CallResult) {
	m.calls.ended.of(callKey{call.Upstream, call.RPC, call.Code}).add(call.Took, call.TraceID)

	if call.Retries > 0 {
		failed := call.Retries

		// The last attempt is the one whose reply the caller got.
		if call.Code == codes.OK {
			m.calls.retries.of(callEventKey{call.Upstream, call.RPC, "succeeded"}).Inc()

			failed--
		}

		m.calls.retries.of(callEventKey{call.Upstream, call.RPC, "failed"}).Add(float64(failed))
	}

	if call.Hedge != upstream.NotHedged {
		m.calls.hedges.of(callEventKey{call.Upstream, call.RPC, string(call.Hedge)}).Inc()
	}
}

// ObserveRefusedCall counts a call that was not made.
func (m *Metrics) ObserveRefusedCall(upstream, rpc string, reason reqinfo.Reason) {
	m.calls.refused.of(callEventKey{upstream, rpc, string(reason)}).Inc()
}

// ObserveBreaker counts the opening of the breaker of a method or, if rpc is empty, of the whole upstream. Its state is that of
// WatchUpstreams.
func (m *Metrics) ObserveBreaker(upstream, rpc string, state breaker.State) {
	openings := m.calls.openings.WithLabelValues(upstream, reqinfo.Selector(rpc))
	if state == breaker.Open {
		openings.Inc()
	}
}

// ObserveEjection counts an address that is ejected.
func (m *Metrics) ObserveEjection(upstream, reason string) {
	m.calls.ejections.WithLabelValues(upstream, reason).Inc()
}
