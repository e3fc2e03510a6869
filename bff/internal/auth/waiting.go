package auth

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// waiting knows the issuers whose keys are to be had before a gateway is ready. Its issuers do not change after the first call
// of names.
type waiting struct {
	issuers []awaited
	over    atomic.Bool
}

type awaited struct {
	name string
	keys *keySource
}

func (w *waiting) add(name string, keys *keySource) {
	w.issuers = append(w.issuers, awaited{name, keys})
}

// names lists those whose keys were never had. It is empty for ever after the grace, since what is shared by all gateways must
// not take all of them out of service.
func (w *waiting) names() []string {
	if w.over.Load() {
		return nil
	}

	var names []string

	for _, issuer := range w.issuers {
		if issuer.keys.current() == nil {
			names = append(names, issuer.name)
		}
	}

	// Keys that were had once are kept, so this needs no second look.
	if len(names) == 0 {
		w.over.Store(true)
	}

	return names
}

// run ends the grace, and logs whose keys are still missing then.
func (w *waiting) run(ctx context.Context, grace time.Duration, logger *slog.Logger) {
	if len(w.names()) == 0 {
		return
	}

	timer := time.NewTimer(grace)
	defer timer.Stop()

	select {
	case <-ctx.Done():
	case <-timer.C:
		if names := w.names(); len(names) > 0 {
			w.over.Store(true)
			logger.LogAttrs(ctx, slog.LevelWarn, "ready without the keys of issuers: their tokens get 503",
				slog.Any("issuers", names), slog.Duration("grace", grace))
		}
	}
}
