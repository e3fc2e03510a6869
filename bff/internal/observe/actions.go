package observe

import "github.com/prometheus/client_golang/prometheus"

// actions are the metrics of what operators do.
type actions struct{ total *prometheus.CounterVec }

func (m *Metrics) addActions() {
	m.actions.total = m.counter("portico_admin_actions_total",
		"What operators have asked for, by action (breaker, drain, log-level, purge, reload, sessions) and result: done, invalid, "+
			"failed, unauthorized, limited, forbidden.", "action", "result")
}

// ObserveAdminAction counts an action. Both come from bounded sets.
func (m *Metrics) ObserveAdminAction(action, result string) {
	m.actions.total.WithLabelValues(action, result).Inc()
}
