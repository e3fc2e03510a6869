package listen_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/listen"
)

func addrPort(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

func open(t *testing.T, address string) (listen.Listener, error) {
	t.Helper()

	listener, err := listen.Open(t.Context(), &listen.Systemd{}, "server.address", address)
	if err == nil {
		t.Cleanup(func() { _ = listener.Close() })
	}

	return listener, err
}

func mustOpen(t *testing.T, address string) listen.Listener {
	t.Helper()

	listener, err := open(t, address)
	if err != nil {
		t.Fatal(err)
	}

	return listener
}

// dial connects to a listener, from a file if that is not empty, and returns the other side.
func dial(t *testing.T, listener listen.Listener, from string) net.Conn {
	t.Helper()

	var local net.Addr
	if from != "" {
		local = &net.UnixAddr{Net: "unix", Name: from}
	}

	dialer := net.Dialer{LocalAddr: local}

	conn, err := dialer.DialContext(t.Context(), listener.Addr().Network(), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = conn.Close()
		_ = accepted.Close()
	})

	return accepted
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "s")
	listener := mustOpen(t, "unix:"+path+"?mode=0620&group="+strconv.Itoa(os.Getegid()))

	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o620 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}

	if got := dial(t, listener, "").RemoteAddr().String(); got != listen.UnixPeer {
		t.Errorf("remote address %q", got)
	}

	// Another server takes over by a deadline.
	if err := listener.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}

	if _, err := listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("accept: %v", err)
	}

	if err := errors.Join(listener.SetDeadline(time.Time{}), listener.Close()); err != nil {
		t.Fatal(err)
	}

	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after it was closed: %v", err)
	}
}

// A client could bind its socket to a file whose name is an address.
func TestPeersOfUnixSocketsDoNotNameThemselves(t *testing.T) { //nolint:paralleltest // It changes the folder.
	t.Chdir(t.TempDir())

	listener := mustOpen(t, "unix:"+filepath.Join(t.TempDir(), "s"))

	if got := dial(t, listener, "10.0.0.1:80").RemoteAddr().String(); got != listen.UnixPeer {
		t.Errorf("remote address %q", got)
	}
}

func TestSocketOfADeadProcessIsReplaced(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "s")

	dead := mustOpen(t, "unix:"+path)
	keep, ok := dead.(interface{ SetUnlinkOnClose(unlink bool) })
	if !ok {
		t.Fatal("it is no Unix socket")
	}

	keep.SetUnlinkOnClose(false)

	if _, err := open(t, "unix:"+path); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "server.address: another process listens on "+path) {
		t.Errorf("while it is used: %v", err)
	}

	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}

	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}

	dial(t, mustOpen(t, "unix:"+path), "")
}

func TestSocketsThatCannotBeOpened(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	for address, want := range map[string]string{
		"unix:" + file: file + " is there, and is not a socket",
		"unix:" + filepath.Join(dir, "none", "s"):       "no such file or directory",
		"unix:" + filepath.Join(dir, "s?group=no-such"): "unknown group no-such",
		"unix:s":        "is not the absolute path",
		"systemd:other": "systemd has passed no socket; start the service by a .socket unit with FileDescriptorName=other",
		"systemd:":      "FileDescriptorName=server",
		"192.0.2.1:0":   "cannot assign requested address",
	} {
		if _, err := open(t, address); err == nil || !strings.HasPrefix(err.Error(), "server.address: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}

	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer

		refusals := listen.NewRefusals(slog.New(slog.NewTextHandler(&log, nil)))

		for range 3 {
			refusals.Refused(tcp(balancer), io.EOF)
		}

		time.Sleep(time.Minute)
		refusals.Refused(tcp(balancer), io.EOF)

		if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "connections=3 peer="+balancer) {
			t.Errorf("logged %s", text)
		}
	})
}
