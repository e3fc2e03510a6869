package auth

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// pendingKeys knows the issuers whose keys must have been fetched before a gateway is ready. The list of issuers does not change
// after the first call of names.
type pendingKeys struct {
	issuers []*issuer
	over    atomic.Bool
}

// names lists the issuers whose keys were never fetched. After the grace it is always empty, because an issuer that is down must
// not take all gateways out of service.
func (p *pendingKeys) names() []string {
	if p.over.Load() {
		return nil
	}

	var names []string

	for _, i := range p.issuers {
		if i.keys.current() == nil {
			names = append(names, i.name)
		}
	}

	// Keys that were fetched once are never dropped.
	if len(names) == 0 {
		p.over.Store(true)
	}

	return names
}

// run ends the grace, and logs whose keys are still missing then.
func (p *pendingKeys) run(ctx context.Context, grace time.Duration, logger *slog.Logger) {
	if len(p.names()) == 0 {
		return
	}

	timer := time.NewTimer(grace)
	defer timer.Stop()

	select {
	case <-ctx.Done():
	case <-timer.C:
		if names := p.names(); len(names) > 0 {
			p.over.Store(true)
			logger.LogAttrs(ctx, slog.LevelWarn, "ready without the keys of issuers: their tokens get 503",
				slog.Any("issuers", names), slog.Int64("grace_ms", grace.Milliseconds()))
		}
	}
}
