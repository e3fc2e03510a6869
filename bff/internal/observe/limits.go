package observe

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// limits are the metrics of rate limits.
type limits struct {
	decisions *prometheus.CounterVec
	outages   prometheus.Counter
}

// decisionAllowed is the decision on a request that a limit allows.
const decisionAllowed = "allowed"

func (m *Metrics) addLimits() {
	m.limits.decisions = m.counter("portico_rate_limit_decisions_total",
		"Requests by RPC, rate limit, what the caller was known by (principal, client, api-key, tenant, global) and decision:"+
			" allowed, refused.", labelRPC, labelLimit, labelKeyKind, labelDecision)
	m.limits.outages = m.counter("portico_rate_limit_outages_total",
		"Requests on which the shared store did not decide in time.").WithLabelValues()
}

// RateLimit returns what counts the requests that a limit allows and refuses, for one kind of key. The RPC is empty for
// limits.client.
func (m *Metrics) RateLimit(rpc, limit, key string) (allowed, refused func()) {
	counter := func(decision string) func() {
		return m.limits.decisions.WithLabelValues(reqinfo.Selector(rpc), limit, key, decision).Inc
	}

	return counter(decisionAllowed), counter("refused")
}

// ObserveLimitOutage counts a request that the shared store of rate limits did not decide on.
func (m *Metrics) ObserveLimitOutage() { m.limits.outages.Inc() }
