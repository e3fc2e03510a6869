//go:build !linux

package listen

import (
	"io/fs"
	"syscall"
)

// restrict does nothing: the mode is set once the socket is there.
func restrict(syscall.RawConn, fs.FileMode) error { return nil }
