package observe

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// number is a metric whose value functions return at each scrape. It is absent until there is one. It is safe for concurrent use.
type number struct {
	desc *prometheus.Desc
	kind numberKind

	mu   sync.Mutex
	list []*func() float64
	// before is what the functions of a counter returned that were removed, and ever reports that there was one.
	before float64
	ever   bool
}

type numberKind int

const (
	// sum: a gauge, to which all functions add.
	sum numberKind = iota
	// latest: a gauge that is what the newest function says.
	latest
	// count: a counter, to which all functions add, even those that were removed.
	count
)

func (m *Metrics) number(kind numberKind, name, help string, labels prometheus.Labels) *number {
	n := &number{desc: prometheus.NewDesc(name, help, nil, labels), kind: kind}
	m.own.MustRegister(n)

	return n
}

// watch adds a function until release is called.
func (n *number) watch(value func() float64) (release func()) {
	n.mu.Lock()
	defer n.mu.Unlock()

	added := &value
	n.list, n.ever = append(n.list, added), true

	return sync.OnceFunc(func() {
		n.mu.Lock()
		defer n.mu.Unlock()

		n.before += value()
		n.list = slices.DeleteFunc(n.list, func(known *func() float64) bool { return known == added })
	})
}

// Describe implements prometheus.Collector.
func (n *number) Describe(ch chan<- *prometheus.Desc) { ch <- n.desc }

// Collect implements prometheus.Collector.
func (n *number) Collect(ch chan<- prometheus.Metric) {
	n.mu.Lock()
	defer n.mu.Unlock()

	var total, last float64

	for _, value := range n.list {
		last = (*value)()
		total += last
	}

	switch {
	case n.kind == count && n.ever:
		ch <- prometheus.MustNewConstMetric(n.desc, prometheus.CounterValue, n.before+total)
	case n.kind == sum && len(n.list) > 0:
		ch <- prometheus.MustNewConstMetric(n.desc, prometheus.GaugeValue, total)
	case n.kind == latest && len(n.list) > 0:
		ch <- prometheus.MustNewConstMetric(n.desc, prometheus.GaugeValue, last)
	}
}
