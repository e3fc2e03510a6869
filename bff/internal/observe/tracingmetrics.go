package observe

import "github.com/prometheus/client_golang/prometheus"

// WatchTracing shows how many spans were exported and dropped, as the function says at each scrape. It must be safe for concurrent
// use.
func (m *Metrics) WatchTracing(spans func() (exported, overflowed, refused int64)) {
	m.number(count, "portico_tracing_spans_exported_total", "Spans that the collector has taken.", nil).
		watch(func() float64 { exported, _, _ := spans(); return float64(exported) })

	dropped := func(reason string) *number {
		return m.number(count, "portico_tracing_spans_dropped_total",
			"Spans that were dropped, by reason: queue (too many waited), export (the collector did not take them).",
			prometheus.Labels{labelReason: reason})
	}
	dropped("queue").watch(func() float64 { _, overflowed, _ := spans(); return float64(overflowed) })
	dropped("export").watch(func() float64 { _, _, refused := spans(); return float64(refused) })
}
