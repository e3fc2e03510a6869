package observe

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// sources are functions that say something at each scrape: one for each configuration that is in use, since requests of the one
// before may still be served. It is safe for concurrent use.
type sources[T any] struct {
	mu   sync.Mutex
	list []*func() T
}

// add adds a source until remove is called.
func (s *sources[T]) add(source func() T) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()

	added := &source
	s.list = append(s.list, added)

	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()

		s.list = slices.DeleteFunc(s.list, func(known *func() T) bool { return known == added })
	}
}

// all returns what each source says, the oldest first.
func (s *sources[T]) all() []T {
	s.mu.Lock()
	list := slices.Clone(s.list)
	s.mu.Unlock()

	values := make([]T, 0, len(list))
	for _, source := range list {
		values = append(values, (*source)())
	}

	return values
}

// scraped is a collector of samples that are made at each scrape, so that those of what is gone are gone, too.
type scraped struct {
	descs   []*prometheus.Desc
	collect func(emit func(desc *prometheus.Desc, value float64, labels ...string))
}

// watch adds a collector of gauges.
func (m *Metrics) watch(
	collect func(emit func(desc *prometheus.Desc, value float64, labels ...string)), descs ...*prometheus.Desc,
) {
	m.own.MustRegister(&scraped{descs: descs, collect: collect})
}

// Describe implements prometheus.Collector.
func (s *scraped) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range s.descs {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (s *scraped) Collect(ch chan<- prometheus.Metric) {
	s.collect(func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	})
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}
