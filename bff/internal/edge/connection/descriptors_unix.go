//go:build unix

package connection

import (
	"math"
	"net"
	"syscall"
)

// descriptorLimit is how many file descriptors the process may have. At start-up the Go runtime has raised it as far as it may.
func descriptorLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt32
	}

	return int(limit.Cur)
}

// descriptor is the file descriptor of a connection; zero if that is not known. The system gives out the lowest that is free, so
// all below it are in use.
func descriptor(conn net.Conn) int {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}

	number := 0

	control, err := raw.SyscallConn()
	if err != nil {
		return 0
	}

	// It fails for a connection that is closed.
	_ = control.Control(func(fd uintptr) { number = int(fd) })

	return number
}
