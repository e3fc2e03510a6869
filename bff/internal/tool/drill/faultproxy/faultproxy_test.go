package faultproxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
)

// echo answers with what it is told, on a network of its choice.
func echo(tb testing.TB, network, address string) net.Addr {
	tb.Helper()

	listener, err := net.Listen(network, address)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = listener.Close() })

	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			go func() {
				defer conn.Close()

				_, _ = io.Copy(conn, conn)
			}()
		}
	}()

	return listener.Addr()
}

func open(tb testing.TB, to net.Addr) *faultproxy.Proxy {
	tb.Helper()

	p, err := faultproxy.Open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})

	p.Point(to.Network(), to.String())

	return p
}

func dial(tb testing.TB, p *faultproxy.Proxy) net.Conn {
	tb.Helper()

	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = conn.Close() })

	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		tb.Fatal(err)
	}

	return conn
}

// ask sends a text and waits for it to come back.
func ask(conn net.Conn, text []byte) (time.Duration, error) {
	start := time.Now()

	go func() { _, _ = conn.Write(text) }()

	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		return 0, err
	}

	if !bytes.Equal(got, text) {
		return 0, errors.New("another text came back")
	}

	return time.Since(start), nil
}

func TestCarriesBytes(t *testing.T) {
	t.Parallel()

	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		conn := dial(t, open(t, echo(t, network, address)))

		for _, size := range []int{1, 1 << 20} {
			if _, err := ask(conn, bytes.Repeat([]byte("x"), size)); err != nil {
				t.Errorf("%s, %d bytes: %v", network, size, err)
			}
		}
	}
}

func TestLatencyIsThatOfBothWays(t *testing.T) {
	t.Parallel()

	p := open(t, echo(t, "tcp", "127.0.0.1:0"))
	conn := dial(t, p)

	p.Set(faultproxy.Fault{Latency: 100 * time.Millisecond})

	// It does not add up over the pieces.
	for _, size := range []int{1, 256 << 10} {
		if took, err := ask(conn, make([]byte, size)); err != nil || took < 200*time.Millisecond || took > 5*time.Second {
			t.Errorf("%d bytes: %v, %v", size, took, err)
		}
	}

	p.Set(faultproxy.Fault{})

	if _, err := ask(conn, []byte("x")); err != nil {
		t.Error(err)
	}
}

func TestNarrowNetwork(t *testing.T) {
	t.Parallel()

	p := open(t, echo(t, "tcp", "127.0.0.1:0"))
	conn := dial(t, p)

	p.Set(faultproxy.Fault{BytesPerSecond: 64 << 10})

	if took, err := ask(conn, make([]byte, 32<<10)); err != nil || took < 500*time.Millisecond {
		t.Errorf("32 KiB at 64 KiB/s took %v, %v", took, err)
	}
}

func TestCutResets(t *testing.T) {
	t.Parallel()

	p := open(t, echo(t, "tcp", "127.0.0.1:0"))
	conn := dial(t, p)

	if _, err := ask(conn, []byte("x")); err != nil {
		t.Fatal(err)
	}

	p.Cut()

	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v", err)
	}

	if _, err := ask(dial(t, p), []byte("x")); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

func TestNothingBehind(t *testing.T) {
	t.Parallel()

	gone := echo(t, "unix", filepath.Join(t.TempDir(), "s"))
	p := open(t, gone)
	p.Point("unix", gone.String()+"-gone")

	// The reset can be there before the connection is seen to be.
	if conn, err := net.Dial("tcp", p.Address()); err == nil {
		defer conn.Close()

		if _, err := ask(conn, []byte("x")); err == nil {
			t.Error("somebody answered")
		}
	}

	p.Point("unix", gone.String())

	if _, err := ask(dial(t, p), []byte("x")); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsConnections(t *testing.T) {
	t.Parallel()

	p := open(t, echo(t, "tcp", "127.0.0.1:0"))
	conn := dial(t, p)

	if _, err := ask(conn, []byte("x")); err != nil {
		t.Fatal(err)
	}

	if err := p.Close(); err != nil {
		t.Fatal(err)
	}

	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}

	if conn, err := net.Dial("tcp", p.Address()); err == nil {
		_ = conn.Close()

		t.Error("it listens")
	}
}

func ExampleOpen() {
	p, err := faultproxy.Open(context.Background())
	if err != nil {
		fmt.Println(err)

		return
	}
	defer p.Close()

	p.Point("tcp", "127.0.0.1:9001")
	p.Set(faultproxy.Fault{Latency: 100 * time.Millisecond})

	host, _, err := net.SplitHostPort(p.Address())
	fmt.Println(host, err)

	// Output:
	// 127.0.0.1 <nil>
}
