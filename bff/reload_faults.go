package bff

import (
	"context"
	"errors"

	"github.com/portico-gateway/portico/bff/config"
)

// allFaults returns what is wrong with a configuration that was refused, in all stages and each with its place, as CheckConfig
// finds it. read is why it could not be read, or else refused is what was found first.
func (g *Gateway) allFaults(ctx context.Context, cfg config.Config, read, refused error) error {
	if errors.Is(refused, errStopping) || ctx.Err() != nil {
		return errors.Join(read, refused)
	}

	var found Findings

	found.content(ctx, cfg, g.given)
	found.fault(fixed(g.config(), cfg.WithDefaults()))

	// The check says it more precisely: which file of server.tls it is.
	for _, fault := range cfg.Origins().Faults(refused) {
		if fault.Path == "" || !found.within(fault.Path) {
			found.fault(fault)
		}
	}

	var all error
	for _, fault := range cfg.Origins().Merge(read, found.Faults) {
		all = errors.Join(all, fault)
	}

	return all
}
