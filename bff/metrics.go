package bff

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// WithMetrics registers the metrics of the gateway (portico_…) with a registry of the program as well, until Close. /metrics of the
// admin listener still serves them from a registry of the gateway's own, together with those of the Go runtime and the process,
// which are not registered here. It may be given once.
//
// Without it, the metrics are on the admin listener alone, and any number of gateways in a process do not disturb one another. With
// it, Open refuses a second gateway in one registry: distinguish them by
// prometheus.WrapRegistererWith(prometheus.Labels{"gateway": "shop"}, registry).
func WithMetrics(registerer prometheus.Registerer) Option {
	return func(o *options) {
		o.faults.need("WithMetrics", "the registerer", registerer)
		o.faults.once("WithMetrics", o.registerer == nil)

		o.registerer = registerer
	}
}

// exportMetrics registers the metrics where the program wants them.
func (o options) exportMetrics(with opening) error {
	if o.registerer == nil {
		return nil
	}

	release, err := with.metrics.Export(o.registerer)
	if err != nil {
		return fmt.Errorf("WithMetrics: %w; two gateways in one registry need prometheus.WrapRegistererWith", err)
	}

	with.life.atEnd(closer(release))

	return nil
}
