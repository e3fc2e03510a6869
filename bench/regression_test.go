package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestWorse(t *testing.T) {
	tests := []struct {
		name         string
		ratios       []float64
		ours, theirs []float64
		want         []string
	}{
		{name: "equal", ratios: []float64{1, 1, 1, 1}, ours: []float64{100}, theirs: []float64{100}},
		{name: "better", ratios: []float64{0.9, 0.8, 0.9, 0.85}, ours: []float64{80}, theirs: []float64{100}},
		{name: "noise-around-the-same", ratios: []float64{0.9, 1.3, 0.95, 1.25, 1.1}, ours: []float64{100}, theirs: []float64{100}},
		{name: "within-the-margin", ratios: []float64{1.01, 1.015, 1.018, 1.01}, ours: []float64{100.9}, theirs: []float64{100}},
		{name: "one-round-of-four-was-fast", ratios: []float64{0.9, 1.06, 1.05, 1.07, 1.06}, ours: []float64{100}, theirs: []float64{100}, want: []string{"CPU"}},
		{
			name: "allocations-of-two-launches", ratios: []float64{1, 1, 1, 1},
			ours: []float64{103, 103, 100, 100}, theirs: []float64{100, 100, 100, 100},
		},
		{name: "more-allocations", ratios: []float64{1, 1, 1, 1}, ours: []float64{101.1, 101.2, 102, 101.3}, theirs: []float64{100, 100, 100, 100}, want: []string{"allocations"}},
		{name: "all", ratios: []float64{1.1, 1.1, 1.2, 1.1}, ours: []float64{150}, theirs: []float64{100}, want: []string{"CPU", "allocations"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := comparison{ratios: tt.ratios, ours: tt.ours, theirs: tt.theirs}
			if got := c.worse(0.02); !slices.Equal(got, tt.want) {
				t.Errorf("worse in %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckFailsIfAnyPayloadIsWorse(t *testing.T) {
	good := comparison{ratios: []float64{1, 1}, ours: []float64{10}, theirs: []float64{10}}
	bad := comparison{ratios: []float64{1.2, 1.1}, ours: []float64{10}, theirs: []float64{10}}
	payloads := []payload{{name: "small"}, {name: "post"}}

	var out strings.Builder

	if err := reportComparisons(&out, payloads, []comparison{good, good}, 0.02); err != nil {
		t.Errorf("nothing is worse, and it fails: %v", err)
	}

	err := reportComparisons(&out, payloads, []comparison{good, bad}, 0.02)
	if !errors.Is(err, errWorse) || !strings.Contains(err.Error(), "post (CPU)") || strings.Contains(err.Error(), "small") {
		t.Errorf("error is %v, want one about the CPU of post", err)
	}
}
