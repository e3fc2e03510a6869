package connection_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/connection"
)

// failing is a listener whose next Accept fails with err, if that is not nil.
type failing struct {
	net.Listener

	err error
}

func (f *failing) Accept() (net.Conn, error) {
	if f.err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: f.err}
	}

	return &conn{}, nil
}

// accepts is a listener with what it logs and counts.
type accepts struct {
	net.Listener

	log    bytes.Buffer
	failed int
}

func accepting(inner net.Listener, spare int) *accepts {
	a := &accepts{}
	a.Listener = connection.Accept(inner, connection.Accepting{
		Name: "server", Spare: spare, Failed: func(string) { a.failed++ },
		Logger: slog.New(slog.NewTextHandler(&a.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}

			return attr
		}})),
	})

	return a
}

// Once, a gateway without file descriptors told nobody.
func TestConnectionsThatCannotBeAcceptedAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := &failing{}
		a := accepting(inner, 0)

		accept := func(want error) {
			t.Helper()

			if _, err := a.Accept(); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}

		accept(nil)

		inner.err = syscall.EMFILE

		// net/http tries again each second.
		const seconds = 90
		for range seconds {
			accept(syscall.EMFILE)
			time.Sleep(time.Second)
		}

		inner.err = nil
		accept(nil)
		accept(nil)

		inner.err = syscall.ENFILE
		accept(syscall.ENFILE)

		inner.err = net.ErrClosed
		accept(net.ErrClosed)

		const want = `level=ERROR msg="connections cannot be accepted" listener=server connections=1 error="accept tcp: too many open files"
level=ERROR msg="connections cannot be accepted" listener=server connections=60 error="accept tcp: too many open files"
level=INFO msg="connections are accepted again" listener=server failed=90
level=ERROR msg="connections cannot be accepted" listener=server connections=1 error="accept tcp: too many open files in system"
`
		if got := a.log.String(); got != want || a.failed != seconds+1 {
			t.Errorf("%d failures, and\n%s", a.failed, got)
		}
	})
}

// The last descriptors are for others.
func TestConnectionThatTakesTheLastDescriptorsIsClosed(t *testing.T) {
	t.Parallel()

	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	// More than there are: each connection takes one of the last.
	a := accepting(inner, 1<<40)

	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	ended := make(chan error, 1)

	go func() {
		_, err := a.Accept()
		ended <- err
	}()

	if n, err := client.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("it is not closed: %d, %v", n, err)
	}

	_ = inner.Close()

	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}

	if got := a.log.String(); a.failed != 1 || !strings.Contains(got, `error="too many open files"`) {
		t.Errorf("%d failures, and %s", a.failed, got)
	}
}

func TestTooManyConnectionsForTheDescriptors(t *testing.T) {
	t.Parallel()

	for connections, want := range map[int]int{1: 0, 1 << 40: 1} {
		var log bytes.Buffer

		connection.WarnOfDescriptors(slog.New(slog.NewTextHandler(&log, nil)), connections)

		if got := strings.Count(log.String(), "server.max_connections needs more file descriptors"); got != want {
			t.Errorf("%d connections: %s", connections, &log)
		}
	}
}
