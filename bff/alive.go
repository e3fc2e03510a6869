package bff

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/pires/go-proxyproto"
)

// selfRequest is one that net/http responds to by itself (RFC 9110, section 9.3.7): it is not logged, counted or limited.
const selfRequest = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

// alive reports, by an error, that the listener for clients does not respond before the context ends, or that the state of the
// gateway cannot be read. That a connection is refused, as there are too many, is a response. Whether backends can be called makes
// no difference.
func (g *Gateway) alive(ctx context.Context) error {
	read := make(chan struct{})

	go func() {
		defer close(read)

		for _, check := range g.readiness() {
			check.Check()
		}
	}()

	select {
	case <-read:
	case <-ctx.Done():
		return errors.New("its state cannot be read in time")
	}

	if err := g.requestSelf(ctx); err != nil {
		return fmt.Errorf("the listener for clients: %w", err)
	}

	return nil
}

// requestSelf connects to the listener for clients as they do.
func (g *Gateway) requestSelf(ctx context.Context) error {
	address := g.front.address()

	conn, err := new(net.Dialer).DialContext(ctx, address.Network(), address.String())
	if saysNothing(err) {
		return nil
	}

	if err != nil {
		return err //nolint:wrapcheck // alive says what it is about.
	}
	defer func() { _ = conn.Close() }()

	// When the context ends, what follows does.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past()) })()

	if err := g.speak(ctx, conn); errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no response in time: %w", err)
	}

	// Any other error is a response as well: the end of the connection, or a certificate that is asked for.
	return nil
}

// saysNothing reports whether the gateway could not connect to itself for a reason that says nothing about the listener: there are
// too many connections, which it is busy with, or the process may not connect to it, as to a socket of systemd that is for others.
func saysNothing(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, fs.ErrPermission)
}

// speak sends a request, and waits for the first byte of the response.
func (g *Gateway) speak(ctx context.Context, conn net.Conn) error {
	current := g.current()

	if current.proxied.Must(conn.LocalAddr()) {
		header, err := (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL}).Format()
		if err != nil {
			return fmt.Errorf("PROXY header: %w", err)
		}

		if _, err := conn.Write(header); err != nil {
			return err //nolint:wrapcheck // requestSelf says what it is about.
		}
	}

	if current.listener != nil {
		encrypted := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // Only that it responds matters.
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return err //nolint:wrapcheck // As above.
		}

		conn = encrypted
	}

	if _, err := io.WriteString(conn, selfRequest); err != nil {
		return err //nolint:wrapcheck // As above.
	}

	_, err := conn.Read(make([]byte, 1))

	return err //nolint:wrapcheck // As above.
}
