package observe

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// upstreams are the metrics of the state of backends, as it is at each scrape.
type upstreams struct {
	sources sources[[]upstream.Status]

	address, calls, waiting, limit, breaker, methodBreaker *prometheus.Desc
}

func (m *Metrics) addUpstreams() {
	u := &m.upstreams
	u.address = desc("portico_upstream_address_state",
		"1 for the state that the address is in, 0 for the others:"+
			" ready, drained, ejected, unresponsive, unhealthy, connecting, failing, idle.",
		labelUpstream, "address", "state")
	u.calls = desc("portico_upstream_calls_in_flight", "Calls and streams that have not ended.", labelUpstream)
	u.waiting = desc("portico_upstream_concurrency", "Calls that wait for a reply, which count against the concurrency limit.",
		labelUpstream)
	u.limit = desc("portico_upstream_concurrency_limit", "How many calls to an upstream may be in flight.", labelUpstream)
	u.breaker = desc("portico_upstream_breaker_state",
		"State of the circuit breaker: 0 closed, 1 half-open, 2 open.", labelUpstream)
	u.methodBreaker = desc("portico_upstream_method_breaker_state",
		"State of the circuit breaker of a method that has its own: 0 closed, 1 half-open, 2 open.", labelUpstream, labelRPC)

	m.watch(u.collect, u.address, u.calls, u.waiting, u.limit, u.breaker, u.methodBreaker)
}

// WatchUpstreams shows the state of backends, as the function says at each scrape, until release is called. It must be safe for
// concurrent use. Of an upstream that several functions know, the one that was added last counts.
func (m *Metrics) WatchUpstreams(statuses func() []upstream.Status) (release func()) {
	return m.upstreams.sources.add(statuses)
}

func (u *upstreams) collect(emit func(desc *prometheus.Desc, value float64, labels ...string)) {
	latest := map[string]upstream.Status{}

	for _, statuses := range u.sources.all() {
		for _, s := range statuses {
			latest[s.Name] = s
		}
	}

	for name, s := range latest {
		emit(u.calls, float64(s.Calls), name)
		emit(u.breaker, breakerState(s.Breaker), name)

		if s.Limit > 0 {
			emit(u.waiting, float64(s.InFlight), name)
			emit(u.limit, float64(s.Limit), name)
		}

		for rpc, state := range s.Methods {
			emit(u.methodBreaker, breakerState(state), name, rpc)
		}

		for _, a := range s.Addresses {
			for _, state := range balance.States() {
				emit(u.address, boolean(state == a.State), name, a.Address, state)
			}
		}
	}
}

func breakerState(name string) float64 {
	switch name {
	case breaker.Open.String():
		return float64(breaker.Open)
	case breaker.HalfOpen.String():
		return float64(breaker.HalfOpen)
	default:
		return float64(breaker.Closed)
	}
}

func boolean(is bool) float64 {
	if is {
		return 1
	}

	return 0
}
