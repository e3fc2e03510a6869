package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// soakMeasurements is how often the gateways are measured during a soak.
	soakMeasurements = 20
	// flatRatio is how much a gateway may grow from the first half of a soak to the second.
	flatRatio = 1.1
	mebibyte  = 1 << 20
)

// metric is one of a gateway that should not grow. It may always grow by a few.
type metric struct {
	name, source string
	few, unit    float64
}

func metrics() []metric {
	return []metric{
		{name: "goroutines", source: "go_goroutines", few: 20, unit: 1},
		{name: "descriptors", source: "process_open_fds", few: 20, unit: 1},
		{name: "memory, MiB", source: "process_resident_memory_bytes", few: 4 * mebibyte, unit: mebibyte},
	}
}

// growth is a metric of a gateway in the two halves of a soak.
type growth struct {
	metric

	gateway       int
	before, after float64
}

func (g growth) flat() bool { return g.after <= max(g.before*flatRatio, g.before+g.few) }

// soaking is the result of a soak.
type soaking struct {
	rate, requests, failed int
	took                   time.Duration
	growths                []growth
}

// soak measures the gateways under load, without faults.
func soak(ctx context.Context, o options, dir string, progress *progress) (s soaking, err error) {
	s = soaking{rate: o.rate, took: o.soak}

	err = withFleet(ctx, o, dir, progress, func(f *fleet, d *driver) error {
		var measured []map[string]float64 // A measurement is the values of all gateways, one gateway after the other.

		err := d.during(ctx, o.rate, func() error {
			for n := range soakMeasurements {
				if err := pause(ctx, o.soak/soakMeasurements); err != nil {
					return err
				}

				for _, e := range f.balancer.endpoints {
					values, err := f.balancer.metrics(ctx, e)
					if err != nil {
						return fmt.Errorf("read metrics: %w", err)
					}

					measured = append(measured, values)

					progress.showf("%d of %d: %.0f goroutines, %.0f descriptors, %.0f MiB", n+1, soakMeasurements,
						values["go_goroutines"], values["process_open_fds"], values["process_resident_memory_bytes"]/mebibyte)
				}
			}

			return nil
		})
		if err != nil {
			return err
		}

		s.growths = growths(measured)

		for _, one := range d.samples.all() {
			s.requests++
			s.failed += count(one.failure != "")
		}

		return nil
	})

	return s, err
}

// metrics reads the metrics of a gateway that have no labels.
func (b *balancer) metrics(ctx context.Context, e *endpoint) (map[string]float64, error) {
	text, err := b.admin(ctx, e, "/metrics")
	values := make(map[string]float64)

	for line := range strings.Lines(text) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			values[name] = value
		}
	}

	return values, err
}

// growths compares the halves, without the first measurements, in which caches fill.
func growths(measured []map[string]float64) []growth {
	const warm = soakMeasurements / 4

	list := make([]growth, 0, gateways*len(metrics()))

	for i := range gateways {
		for _, m := range metrics() {
			values := make([]float64, 0, soakMeasurements)
			for at := i; at < len(measured); at += gateways {
				values = append(values, measured[at][m.source])
			}

			list = append(list, growth{
				metric: m, gateway: i + 1,
				before: medianOf(values[warm : soakMeasurements/2]), after: medianOf(values[soakMeasurements/2:]),
			})
		}
	}

	return list
}

func medianOf(values []float64) float64 {
	slices.Sort(values)

	return values[len(values)/2]
}

func (s soaking) met() bool {
	return s.failed == 0 && !slices.ContainsFunc(s.growths, func(g growth) bool { return !g.flat() })
}

func (s soaking) markdown() string {
	var out strings.Builder

	fmt.Fprintf(&out, "%d requests per second for %s: %d requests, %d failed\n\n", s.rate, s.took, s.requests, s.failed)
	fmt.Fprint(&out, "| gateway | | first half | second half |\n|---|---|---|---|\n")

	for _, g := range s.growths {
		fmt.Fprintf(&out, "| %d | %s | %.0f | %.0f |\n", g.gateway, g.name, g.before/g.unit, g.after/g.unit)
	}

	return out.String()
}
