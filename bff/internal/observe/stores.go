package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// stores are the metrics of what is remembered between requests: cached responses, idempotency keys, sessions, and Redis.
type stores struct {
	cache       series[eventKey, prometheus.Counter]
	idempotency series[eventKey, prometheus.Counter]
	// cacheTotals is what cache adds to.
	cacheTotals *prometheus.CounterVec

	sessions *prometheus.CounterVec

	redisState    prometheus.Gauge
	redisFailures *prometheus.CounterVec
	redisCommands *prometheus.HistogramVec
}

type eventKey struct{ rpc, event string }

func (m *Metrics) addStores() {
	s := &m.stores
	s.cacheTotals = m.counter("portico_cache_events_total",
		"What the cache did, by RPC: hit, stale, miss, collapsed, bypass, stored, …", labelRPC, labelEvent)
	s.cache.resolve = eventsOf(s.cacheTotals)
	s.idempotency.resolve = m.events("portico_idempotency_requests_total",
		"Requests with an Idempotency-Key, by RPC and outcome:"+
			" executed, replayed, in_progress, mismatch, unrepeatable, store_error.",
		"outcome")

	s.sessions = m.counter("portico_session_events_total",
		"What became of browser sessions: logins, refreshes, logouts, and ends for another reason, by outcome.",
		labelEvent, "outcome")

	s.redisState = m.gauge("portico_redis_breaker_state",
		"State of the circuit breaker of Redis: 0 closed, 1 half-open, 2 open.").WithLabelValues()
	s.redisFailures = m.counter("portico_redis_failures_total",
		"Commands to Redis that failed, by reason: unreachable, the code of an error reply, …", labelReason)
	s.redisCommands = m.histogram("portico_redis_command_duration_seconds",
		"Time of a command to Redis, with the wait for a connection.", "command")
}

// events makes a counter by RPC and another label, and returns what finds its children.
func (m *Metrics) events(name, help, label string) func(eventKey) prometheus.Counter {
	return eventsOf(m.counter(name, help, labelRPC, label))
}

// eventsOf returns what finds the children of a counter by RPC and another label.
func eventsOf(counter *prometheus.CounterVec) func(eventKey) prometheus.Counter {
	return func(k eventKey) prometheus.Counter { return counter.WithLabelValues(reqinfo.Selector(k.rpc), k.event) }
}

// ObserveCache counts what the cache did. The RPC is empty if it was for none.
func (m *Metrics) ObserveCache(rpc, event string) { m.stores.cache.of(eventKey{rpc, event}).Inc() }

// ObserveIdempotency counts a request with an Idempotency-Key by its outcome.
func (m *Metrics) ObserveIdempotency(rpc, outcome string) {
	m.stores.idempotency.of(eventKey{rpc, outcome}).Inc()
}

// ObserveSession counts an event of a browser session by its outcome. Both come from bounded sets.
func (m *Metrics) ObserveSession(event, outcome string) {
	m.stores.sessions.WithLabelValues(event, outcome).Inc()
}

// ObserveRedis sets the state of the breaker of Redis: 0 closed, 1 half-open, 2 open. It is called before the first command, so
// that the first failure is an increase.
func (m *Metrics) ObserveRedis(state int) {
	m.stores.redisState.Set(float64(state))
	m.stores.redisFailures.WithLabelValues("unreachable")
}

// ObserveRedisFailure counts a command that failed. The reasons come from a bounded set.
func (m *Metrics) ObserveRedisFailure(reason string) {
	m.stores.redisFailures.WithLabelValues(reason).Inc()
}

// ObserveRedisCommand observes how long a command took. The names come from a bounded set.
func (m *Metrics) ObserveRedisCommand(name string, took time.Duration) {
	m.stores.redisCommands.WithLabelValues(name).Observe(took.Seconds())
}
