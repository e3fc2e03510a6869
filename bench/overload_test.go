package main

import (
	"testing"
	"time"
)

func TestOutcome(t *testing.T) {
	start := time.Now()
	o := &outcome{start: start}

	for i := range 100 {
		status := 200
		if i < 40 {
			status = 503
		}

		o.samples = append(o.samples, sampled{
			sent: start.Add(time.Duration(i) * time.Second), took: time.Duration(i) * time.Millisecond, status: status,
		})
	}

	if got := middleAnd99(o.latencies(200)); got != "69.0/98.0" {
		t.Errorf("served: %s", got)
	}

	if got := middleAnd99(o.latencies(429)); got != "–" {
		t.Errorf("none: %s", got)
	}

	if got := o.recovered(200); got != "39.0 s" {
		t.Errorf("recovered: %s", got)
	}
}
