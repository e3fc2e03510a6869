package balance

import (
	"fmt"
	"log/slog"

	"github.com/portico-gateway/portico/bff/config"
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

// SubjectHeader is the metadata by which RingHash distinguishes callers.
const SubjectHeader = "x-portico-subject"

// Config is the entry of a service config's "loadBalancingConfig" that balances in this way.
func Config(policy string) (map[string]any, error) {
	settings := map[string]any{}

	var name string

	switch policy {
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
	Probe    config.Probe
	Ejection config.Ejection
	// Logger gets a line when an address cannot be reached, and when it can again. Nil: nothing is logged.
	Logger *slog.Logger
}
