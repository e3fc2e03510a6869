package upstream

import (
	"errors"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/concurrency"
)

// ErrOverloaded is the cause of a call that was refused because as many are in flight as the backend can handle at once.
var ErrOverloaded = errors.New("too many calls are in flight")

// retryAfter is how long a refused caller should wait: in that time a backend handles many times what is in flight.
const retryAfter = time.Second

// newLimiter returns nil if there is no limit.
func newLimiter(name string, cfg config.Concurrency, observer Observer) *concurrency.Limiter {
	if cfg.Disabled {
		return nil
	}

	observer.ObserveLimit(name, cfg.Initial)

	return concurrency.New(cfg, func(limit int) { observer.ObserveLimit(name, limit) })
}
