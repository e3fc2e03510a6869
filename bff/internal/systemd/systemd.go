// Package systemd tells the service manager what the process does (sd_notify(3)), for units with Type=notify. Sockets that systemd
// passes are those of package listen.
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier tells systemd. Nil tells nobody. It is safe for concurrent use.
type Notifier struct {
	logger *slog.Logger

	mu sync.Mutex
	// state is what systemd knows.
	state state
	// failed reports that an error was logged.
	failed bool
}

type state int

const (
	starting state = iota
	ready
	stopping
)

// New returns nil if systemd does not want to know: NOTIFY_SOCKET is not set.
func New(logger *slog.Logger) *Notifier {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}

	return &Notifier{logger: logger}
}

// Ready says that the process serves. The status is shown by "systemctl status".
func (n *Notifier) Ready(status string) {
	if n == nil {
		return
	}

	n.mu.Lock()
	defer n.mu.Unlock()

	n.state = ready
	n.send(daemon.SdNotifyReady, statusOf(status))
}

// Reloading says that the configuration is read, until the returned function is called. Before the process is ready, and once it
// stops, systemd is not told.
func (n *Notifier) Reloading() (done func(status string)) {
	if n == nil {
		return func(string) {}
	}

	n.whileReady(daemon.SdNotifyReloading, monotonic())

	return func(status string) { n.whileReady(daemon.SdNotifyReady, statusOf(status)) }
}

// Stopping says that the process stops, and that this takes at most so long, whatever TimeoutStopSec= says.
func (n *Notifier) Stopping(status string, within time.Duration) {
	if n == nil {
		return
	}

	n.mu.Lock()
	defer n.mu.Unlock()

	n.state = stopping
	n.send(daemon.SdNotifyStopping, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", within.Microseconds()), statusOf(status))
}

// watchdogParts is how many times within the interval of systemd's watchdog the process is checked. Each check may take as long as
// it is to the next.
const watchdogParts = 4

// Watch says that the process is alive, as often as the watchdog of systemd (WatchdogSec=) wants to know, as long as check returns
// no error. It returns when the context ends, or if there is no watchdog. A check that fails is logged; systemd then ends the
// process.
func (n *Notifier) Watch(ctx context.Context, check func(context.Context) error) {
	if n == nil {
		return
	}

	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		n.logger.LogAttrs(ctx, slog.LevelWarn, "the watchdog of systemd is not served", slog.Any("error", err))
	}

	if interval <= 0 {
		return
	}

	n.watch(ctx, interval/watchdogParts, check)
}

func (n *Notifier) watch(ctx context.Context, every time.Duration, check func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()

	for {
		within, cancel := context.WithTimeout(ctx, every)
		err := check(within)

		cancel()

		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			n.logger.LogAttrs(ctx, slog.LevelError, "the gateway does not respond to itself; systemd will end it if that goes on",
				slog.Any("error", err))
		default:
			n.whileReady(daemon.SdNotifyWatchdog)
		}

		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// whileReady sends assignments if the process serves.
func (n *Notifier) whileReady(assignments ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.state == ready {
		n.send(assignments...)
	}
}

// send sends one datagram. It is called with the mutex held, so that they arrive in order.
func (n *Notifier) send(assignments ...string) {
	_, err := daemon.SdNotify(false, strings.Join(assignments, "\n"))
	if err != nil && !n.failed {
		n.failed = true
		n.logger.Warn("systemd cannot be notified (this is logged once)", "error", err)
	}
}

// statusOf is the assignment of a status, which is one line.
func statusOf(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }
