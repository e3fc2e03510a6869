package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"time"
)

// dialTLS dials with the configuration as it is then. Its name is the dialed host if it has none.
func dialTLS(current func() *tls.Config, timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()

		dialer := tls.Dialer{Config: current()}

		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err //nolint:wrapcheck // It names the address.
		}

		encrypted, _ := conn.(*tls.Conn) // As documented.

		return checkedConn{encrypted}, nil
	}
}

// checkedConn lets the pool see whether the server has closed an idle connection, as it does without TLS. Otherwise each connection
// to a server that was restarted would cost a command. An idle connection has nothing to read: with RESP2 there are no
// notifications, and what TLS sends after its handshake is read with the first reply.
type checkedConn struct{ *tls.Conn }

var errNoSocket = errors.New("the connection is not a socket")

// SyscallConn implements syscall.Conn.
func (c checkedConn) SyscallConn() (syscall.RawConn, error) {
	socket, ok := c.NetConn().(syscall.Conn)
	if !ok {
		return nil, errNoSocket
	}

	return socket.SyscallConn() //nolint:wrapcheck // It is for the pool.
}
