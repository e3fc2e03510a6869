package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// soakLooks is how often the gateways are looked at while they soak.
	soakLooks = 20
	// What counts as flat between the two halves of a soak: a tenth more, or less than these.
	flatRatio                               = 1.1
	fewGoroutines, fewDescriptors, fewBytes = 20, 20, 4 * mebibyte

	mebibyte = 1 << 20
)

// vitals are what of a gateway should not grow.
type vitals struct{ goroutines, descriptors, memory float64 }

// soaking is what became of gateways under load.
type soaking struct {
	rate      int
	took      time.Duration
	requests  int
	failed    int
	perMember [][]vitals
}

// soak has the load running for a time, breaks nothing, and looks at the gateways.
func soak(ctx context.Context, o options, dir string, progress io.Writer) (result soaking, err error) {
	result = soaking{rate: o.rate, took: o.soak}

	err = running(ctx, o, dir, progress, func(f *fleet, d *driver, say teller) error {
		ctx, stop := context.WithCancel(ctx)
		ended := make(chan struct{})

		go func() {
			defer close(ended)

			d.drive(ctx, o.rate)
		}()

		result.perMember, err = f.balancer.watch(ctx, o.soak/soakLooks, say)

		stop()
		<-ended

		for _, one := range d.samples.all() {
			result.requests++

			if one.failure != "" {
				result.failed++
			}
		}

		return err
	})

	return result, err
}

// watch looks at all gateways again and again.
func (b *balancer) watch(ctx context.Context, interval time.Duration, say teller) ([][]vitals, error) {
	seen := make([][]vitals, len(b.endpoints))

	for range soakLooks {
		if err := pause(ctx, interval); err != nil {
			return nil, err
		}

		for i, e := range b.endpoints {
			now, err := b.vitals(ctx, e)
			if err != nil {
				return nil, err
			}

			seen[i] = append(seen[i], now)

			say("gateway %d: %.0f goroutines, %.0f descriptors, %.1f MiB",
				i+1, now.goroutines, now.descriptors, now.memory/mebibyte)
		}
	}

	return seen, nil
}

// vitals reads the metrics of a gateway.
func (b *balancer) vitals(ctx context.Context, e *endpoint) (vitals, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.at.Load().admin+"/metrics", http.NoBody)
	if err != nil {
		return vitals{}, fmt.Errorf("read metrics: %w", err)
	}

	res, err := b.checks.Do(r)
	if err != nil {
		return vitals{}, fmt.Errorf("read metrics: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // It was read.

	var v vitals

	wanted := map[string]*float64{
		"go_goroutines": &v.goroutines, "process_open_fds": &v.descriptors, "process_resident_memory_bytes": &v.memory,
	}

	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if field, ok := wanted[name]; ok {
			// Prometheus writes nothing else.
			*field, _ = strconv.ParseFloat(value, 64)
		}
	}

	return v, nil
}

// growth is a vital sign of a gateway in the two halves of a soak, without the first looks, in which caches fill.
type growth struct {
	gateway       int
	name          string
	before, after float64
	few, unit     float64
}

func (g growth) flat() bool { return g.after <= max(g.before*flatRatio, g.before+g.few) }

func (s soaking) growths() []growth {
	const warm = soakLooks / 4

	const signs = 3

	list := make([]growth, 0, signs*len(s.perMember))

	for i, all := range s.perMember {
		first, second := all[warm:soakLooks/2], all[soakLooks/2:]

		for _, sign := range []struct {
			growth

			value func(vitals) float64
		}{
			{growth{name: "goroutines", few: fewGoroutines, unit: 1}, func(v vitals) float64 { return v.goroutines }},
			{growth{name: "descriptors", few: fewDescriptors, unit: 1}, func(v vitals) float64 { return v.descriptors }},
			{growth{name: "memory, MiB", few: fewBytes, unit: mebibyte}, func(v vitals) float64 { return v.memory }},
		} {
			g := sign.growth
			g.gateway, g.before, g.after = i+1, medianOf(first, sign.value), medianOf(second, sign.value)
			list = append(list, g)
		}
	}

	return list
}

func (s soaking) met() bool {
	return s.failed == 0 && !slices.ContainsFunc(s.growths(), func(g growth) bool { return !g.flat() })
}

func (s soaking) markdown() string {
	var out strings.Builder

	fmt.Fprintf(&out, "%d requests per second for %s: %d requests, %d failed\n\n", s.rate, s.took, s.requests, s.failed)
	fmt.Fprint(&out, "| gateway | | first half | second half |\n|---|---|---|---|\n")

	for _, g := range s.growths() {
		fmt.Fprintf(&out, "| %d | %s | %.0f | %.0f |\n", g.gateway, g.name, g.before/g.unit, g.after/g.unit)
	}

	return out.String()
}

func medianOf(list []vitals, value func(vitals) float64) float64 {
	values := make([]float64, 0, len(list))
	for _, v := range list {
		values = append(values, value(v))
	}

	slices.Sort(values)

	return values[len(values)/2]
}
