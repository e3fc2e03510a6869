package connection

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// Accepting says what a listener that accepts connections for a Guard tells, and whom.
type Accepting struct {
	// Name is that of the listener, for the log and the metrics.
	Name   string
	Logger *slog.Logger
	// Failed is called for each connection that could not be accepted. It must be safe for concurrent use and not block.
	Failed func(listener string)
	// Spare is how many file descriptors this listener leaves to others. At zero it takes all.
	Spare int
}

// acceptInterval is how often failures are logged while there are more of them.
const acceptInterval = time.Minute

// Accept returns the listener with failures that are logged and counted: the first at once, then a line at most each minute, and
// one when connections are accepted again. net/http tries again after a temporary failure, within a second.
//
// A connection that takes one of the last file descriptors of the process is closed at once, so that other listeners, calls to
// backends and files have some.
func Accept(inner net.Listener, settings Accepting) net.Listener {
	return &accepting{Listener: inner, Accepting: settings, most: descriptorLimit() - settings.Spare}
}

type accepting struct {
	net.Listener
	Accepting

	// most is the first file descriptor that is left to others.
	most int

	mu sync.Mutex
	// failed is how many failures there were since the last line, and since the first one.
	failed, all int
	// logged is when the last line was written. Zero: there was no failure since a connection was accepted.
	logged time.Time
}

var errDescriptors = errors.New("too many open files")

// Accept implements net.Listener.
func (a *accepting) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		// A deadline is how another server takes over.
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}

		if err != nil {
			a.failure(err)
			return nil, err
		}

		if a.Spare == 0 || descriptor(conn) < a.most {
			a.success()
			return conn, nil
		}

		// An error makes no difference.
		_ = conn.Close()

		a.failure(errDescriptors)
	}
}

func (a *accepting) failure(err error) {
	a.Failed(a.Name)

	a.mu.Lock()
	defer a.mu.Unlock()

	a.failed++
	a.all++

	if now := time.Now(); a.logged.IsZero() || now.Sub(a.logged) >= acceptInterval {
		a.Logger.LogAttrs(context.Background(), slog.LevelError, "connections cannot be accepted",
			slog.String("listener", a.Name), slog.Int("connections", a.failed), slog.Any("error", err))
		a.logged, a.failed = now, 0
	}
}

func (a *accepting) success() {
	a.mu.Lock()
	defer a.mu.Unlock()

	if a.logged.IsZero() {
		return
	}

	a.Logger.LogAttrs(context.Background(), slog.LevelInfo, "connections are accepted again",
		slog.String("listener", a.Name), slog.Int("failed", a.all))
	a.logged, a.failed, a.all = time.Time{}, 0, 0
}
