package balance

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"
)

// The ways to choose among addresses that are fine.
const (
	// RoundRobin takes them in turn.
	RoundRobin = "round_robin"
	// LeastRequest takes the one of two, chosen at random, with fewer calls under way (gRFC A48).
	LeastRequest = "least_request"
	// WeightedRoundRobin takes those more often that report less load with their answers (ORCA; gRFC A58).
	WeightedRoundRobin = "weighted_round_robin"
	// RingHash keeps calls with the same SubjectHeader on the same address (gRFC A42, A76). Calls without one go anywhere.
	RingHash = "ring_hash"
)

// SubjectHeader is the metadata by which RingHash tells callers apart.
const SubjectHeader = "x-portico-subject"

// Config is the entry of a service config's "loadBalancingConfig" that balances in this way. Empty: RoundRobin.
func Config(policy string) (map[string]any, error) {
	settings := map[string]any{}

	var name string

	switch cmp.Or(policy, RoundRobin) {
	case RoundRobin:
		name = "round_robin"
	case LeastRequest:
		name = "least_request_experimental"
	case WeightedRoundRobin:
		name = "weighted_round_robin"
	case RingHash:
		name, settings = "ring_hash_experimental", map[string]any{"requestHashHeader": SubjectHeader}
	default:
		return nil, fmt.Errorf("there is no balancing policy %q", policy)
	}

	return map[string]any{Name: map[string]any{"childPolicy": []any{map[string]any{name: settings}}}}, nil
}

// Settings are those of one backend.
type Settings struct {
	Probe    Probe
	Ejection Ejection
	// Logger gets a line when an address cannot be reached, and when it can again. Nil: nothing is logged.
	Logger *slog.Logger
}

// Probe asks each connected address whether it is there.
type Probe struct {
	Disabled bool
	// Interval is how often, within a tenth. Zero: 500 ms.
	Interval time.Duration
	// Timeout is how long nothing at all may come from the address after that. Zero: 1 s.
	Timeout time.Duration
}

// Ejection leaves out an address whose calls fail.
type Ejection struct {
	Disabled bool
	// ConsecutiveFailures are how many calls must fail with nothing better between them. Zero: 5.
	ConsecutiveFailures int
	// BaseTime is for how long it is left out, times how often that happened lately, but a minute at most. Zero: 5 s.
	BaseTime time.Duration
	// MaxRatio is how many of all addresses may be left out at once, over 0 to 1. One always may, if it is not the last. Zero: 0.5.
	MaxRatio float64
}

// A stopped process is noticed within Interval and Timeout, and five seconds are what a process takes to restart.
const (
	defaultInterval = 500 * time.Millisecond
	defaultTimeout  = time.Second
	defaultFailures = 5
	defaultBaseTime = 5 * time.Second
	defaultMaxRatio = 0.5
)

func (s Settings) withDefaults() Settings {
	s.Probe.Interval = cmp.Or(s.Probe.Interval, defaultInterval)
	s.Probe.Timeout = cmp.Or(s.Probe.Timeout, defaultTimeout)
	s.Ejection.ConsecutiveFailures = cmp.Or(s.Ejection.ConsecutiveFailures, defaultFailures)
	s.Ejection.BaseTime = cmp.Or(s.Ejection.BaseTime, defaultBaseTime)
	s.Ejection.MaxRatio = cmp.Or(s.Ejection.MaxRatio, defaultMaxRatio)

	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}

	return s
}
