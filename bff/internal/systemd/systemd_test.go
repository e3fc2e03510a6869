package systemd_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/systemd"
)

// manager is what systemd listens on. Tests that have one are not parallel: it is in the environment.
type manager struct{ conn *net.UnixConn }

func listen(t *testing.T) manager {
	t.Helper()

	path := filepath.Join(t.TempDir(), "notify")

	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "")

	return manager{conn}
}

// next is what was sent next.
func (m manager) next(t *testing.T) string {
	t.Helper()

	if err := m.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	text := make([]byte, 4096)

	n, err := m.conn.Read(text)
	if err != nil {
		t.Fatal(err)
	}

	return string(text[:n])
}

// want checks what was sent next, but for the clock.
func (m manager) want(t *testing.T, want string) {
	t.Helper()

	got, clock, ok := strings.Cut(m.next(t), "MONOTONIC_USEC=")
	if ok && (clock == "" || strings.Trim(clock, "0123456789") != "") {
		t.Errorf("the clock is %q", clock)
	}

	if strings.TrimSpace(got) != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestNotifications(t *testing.T) { //nolint:paralleltest // See manager.
	m := listen(t)
	n := systemd.New(slog.New(slog.DiscardHandler))

	// It is neither ready nor stopped by a reload that comes too early or too late.
	n.Reloading()("early")
	n.Ready("one\ntwo")
	m.want(t, "READY=1\nSTATUS=one two")

	done := n.Reloading()
	m.want(t, "RELOADING=1")
	done("three")
	m.want(t, "READY=1\nSTATUS=three")

	n.Stopping("Draining", 45*time.Second)
	m.want(t, "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\nSTATUS=Draining")
	n.Reloading()("late")
	n.Stopping("End", 0)
	m.want(t, "STOPPING=1\nEXTEND_TIMEOUT_USEC=0\nSTATUS=End")
}

func TestWatchdog(t *testing.T) { //nolint:paralleltest // See manager.
	m := listen(t)
	t.Setenv("WATCHDOG_USEC", "40000")

	n := systemd.New(slog.New(slog.DiscardHandler))
	n.Ready("x")
	m.want(t, "READY=1\nSTATUS=x")

	ctx, stop := context.WithCancel(t.Context())
	checks, ended := 0, make(chan struct{})

	go func() {
		defer close(ended)

		n.Watch(ctx, func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("a check may take for ever")
			}

			if checks++; checks == 2 {
				return errors.New("it hangs")
			}

			if checks == 4 {
				stop()
			}

			return nil
		})
	}()

	// Of four checks one fails, and the last one ends it.
	m.want(t, "WATCHDOG=1")
	m.want(t, "WATCHDOG=1")
	<-ended
	n.Stopping("End", 0)
	m.want(t, "STOPPING=1\nEXTEND_TIMEOUT_USEC=0\nSTATUS=End")
}

func TestNobodyIsNotified(t *testing.T) { //nolint:paralleltest // It changes the environment.
	t.Setenv("NOTIFY_SOCKET", "")

	n := systemd.New(slog.New(slog.DiscardHandler))
	if n != nil {
		t.Fatal("there is somebody")
	}

	n.Ready("x")
	n.Reloading()("x")
	n.Watch(t.Context(), nil)
	n.Stopping("x", 0)

	listen(t)
	systemd.New(slog.New(slog.DiscardHandler)).Watch(t.Context(), nil)
}
