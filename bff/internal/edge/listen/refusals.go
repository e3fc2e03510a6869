package listen

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"
)

// refusalInterval is how often refused connections are logged while there are more of them.
const refusalInterval = time.Minute

// Refusals logs connections without a valid PROXY header: the first at once, then a line at most each minute. It is safe for
// concurrent use.
type Refusals struct {
	logger *slog.Logger

	mu sync.Mutex
	// count is how many there were since the last line, which was written at logged.
	count  int
	logged time.Time
}

// NewRefusals logs to a logger.
func NewRefusals(logger *slog.Logger) *Refusals { return &Refusals{logger: logger} }

// Refused adds one.
func (r *Refusals) Refused(peer net.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.count++

	if now := time.Now(); r.logged.IsZero() || now.Sub(r.logged) >= refusalInterval {
		r.logger.LogAttrs(context.Background(), slog.LevelWarn,
			"connections from server.proxy_protocol.from have no valid PROXY header",
			slog.Int("connections", r.count), slog.String("peer", peer.String()), slog.Any("error", err))
		r.logged, r.count = now, 0
	}
}
