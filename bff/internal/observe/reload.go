package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reloads shows which configuration is in use. It is safe for concurrent use.
type Reloads struct {
	successful, timestamp prometheus.Gauge
	accepted, refused     prometheus.Counter
}

// Reloads adds the metrics of reloads, with the first configuration as the last one. generations is how many configurations are
// still used by requests; it must be safe for concurrent use.
func (m *Metrics) Reloads(generations func() int) *Reloads {
	total := m.counter("portico_config_reloads_total", "Reloads of the configuration, by result: accepted, refused.", "result")
	r := &Reloads{
		successful: m.gauge("portico_config_last_reload_successful",
			"1 if the last configuration that was read is in use, 0 if it was refused.").WithLabelValues(),
		timestamp: m.gauge("portico_config_last_reload_timestamp_seconds",
			"When the configuration in use was read, in Unix time.").WithLabelValues(),
		accepted: total.WithLabelValues("accepted"), refused: total.WithLabelValues("refused"),
	}

	m.number(sum, "portico_config_generations",
		"Configurations that requests still use: 1, and those from before a reload that have open streams.", nil).
		watch(func() float64 { return float64(generations()) })
	r.loaded()

	return r
}

// Accepted counts a configuration that has come into effect.
func (r *Reloads) Accepted() {
	r.accepted.Inc()
	r.loaded()
}

func (r *Reloads) loaded() {
	r.successful.Set(1)
	r.timestamp.Set(float64(time.Now().UnixMilli()) / float64(time.Second/time.Millisecond))
}

// Refused counts one that has not.
func (r *Reloads) Refused() {
	r.refused.Inc()
	r.successful.Set(0)
}
