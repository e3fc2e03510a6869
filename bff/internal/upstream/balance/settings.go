package balance

import (
	"fmt"
	"log/slog"

	"github.com/portico-gateway/portico/bff/config"
)

// SubjectHeader is the metadata by which config.RingHash distinguishes callers. Calls without it go anywhere.
const SubjectHeader = "x-portico-subject"

// ringHash is gRPC's name of config.RingHash.
const ringHash = "ring_hash_experimental"

// Config returns the entry of a service config's "loadBalancingConfig" for one of the policies of config.Upstream.Balancing.
func Config(policy string) (map[string]any, error) {
	settings := map[string]any{}

	var name string

	switch policy {
	case config.RoundRobin, config.WeightedRoundRobin:
		name = policy
	case config.LeastRequest:
		name = "least_request_experimental"
	case config.RingHash:
		name, settings = ringHash, map[string]any{"requestHashHeader": SubjectHeader}
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
	// Traced reports that requests may have spans.
	Traced bool
}
