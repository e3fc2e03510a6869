package listen

import (
	"io/fs"
	"syscall"
)

// restrict sets the mode of a socket that is not bound yet, which that of its file is made from (unix(7), net/unix/af_unix.c).
func restrict(conn syscall.RawConn, mode fs.FileMode) error {
	var failed error

	if err := conn.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), uint32(mode.Perm())) }); err != nil {
		return err //nolint:wrapcheck // It cannot fail before the socket is used.
	}

	return failed
}
