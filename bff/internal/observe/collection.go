package observe

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// collection are collectors that are registered as one.
type collection []prometheus.Collector

// Describe implements prometheus.Collector.
func (c collection) Describe(descs chan<- *prometheus.Desc) {
	for _, each := range c {
		each.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (c collection) Collect(metrics chan<- prometheus.Metric) {
	for _, each := range c {
		each.Collect(metrics)
	}
}

// register adds metrics of the gateway. Two of one name are a mistake of ours.
func (m *Metrics) register(collectors ...prometheus.Collector) {
	m.registry.MustRegister(collectors...)
	m.own = append(m.own, collectors...)
}

// Export registers the metrics of the gateway, those that have been added so far, in another registry as well, until release is
// called.
func (m *Metrics) Export(registerer prometheus.Registerer) (release func(), err error) {
	// A pointer, since a registry compares collectors.
	exported := new(collection)
	*exported = m.own

	if err := registerer.Register(exported); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}

	return func() { registerer.Unregister(exported) }, nil
}
