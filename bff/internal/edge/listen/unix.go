package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

// UnixPeer is the remote address of all who connect to a Unix socket, as in http.Request.RemoteAddr. Their own name for themselves
// is not used: a client can bind its socket to a file with a name such as "10.0.0.1:80".
const UnixPeer = "unix"

// dialTimeout is how long a process may take to accept a connection that is to show whether it is there. A backlog that is full is
// a sign of life as well.
const dialTimeout = time.Second

// openSocket listens on a Unix socket. One that is there is replaced if no process listens on it. The file is removed when the
// listener is closed.
func openSocket(ctx context.Context, at config.ListenAddress) (Listener, error) {
	if err := Replaceable(ctx, at.Socket); err != nil {
		return nil, err
	}

	if err := os.Remove(at.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace the socket of a process that has ended: %w", err)
	}

	// On Linux the socket has at most these permissions from its first moment.
	lc := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error { return restrict(conn, at.Mode) }}

	listener, err := lc.Listen(ctx, "unix", at.Socket)
	if err != nil {
		return nil, err //nolint:wrapcheck // It has the path.
	}

	socket, _ := listener.(*net.UnixListener) // It is one.

	if err := permit(at); err != nil {
		return nil, errors.Join(err, socket.Close())
	}

	return unixListener{socket}, nil
}

// Replaceable reports, by an error, whether there is something at a path that cannot be replaced by a Unix socket: another kind of
// file, or a socket on which a process listens (syscall.EADDRINUSE).
func Replaceable(ctx context.Context, path string) error {
	info, err := os.Lstat(path)

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err //nolint:wrapcheck // It has the path.
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there, and is not a socket", path)
	}

	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()

	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
	}

	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	return fmt.Errorf("another process listens on %s: %w", path, syscall.EADDRINUSE)
}

// permit sets who may connect. The group is changed first: no other group has permissions for a moment.
func permit(at config.ListenAddress) error {
	if at.Group != "" {
		id, err := groupID(at.Group)
		if err != nil {
			return err
		}

		if err := os.Lchown(at.Socket, -1, id); err != nil {
			return fmt.Errorf("set the group of the socket: %w", err)
		}
	}

	if err := os.Chmod(at.Socket, at.Mode); err != nil {
		return fmt.Errorf("set the mode of the socket: %w", err)
	}

	return nil
}

func groupID(name string) (int, error) {
	if id, err := strconv.Atoi(name); err == nil {
		return id, nil
	}

	group, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("set the group of the socket: %w", err)
	}

	return strconv.Atoi(group.Gid)
}

// unixListener accepts connections whose remote address is UnixPeer.
type unixListener struct{ *net.UnixListener }

// Accept implements net.Listener.
func (l unixListener) Accept() (net.Conn, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, err //nolint:wrapcheck // Callers compare it.
	}

	return unixConn{conn}, nil
}

type unixConn struct{ *net.UnixConn }

// RemoteAddr implements net.Conn.
func (unixConn) RemoteAddr() net.Addr { return peerName(UnixPeer) }

// peerName is the address of a peer that has none.
type peerName string

// Network implements net.Addr.
func (n peerName) Network() string { return "unix" }

// String implements net.Addr.
func (n peerName) String() string { return string(n) }
