package systemd

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the time at which a reload begins, which Type=notify-reload wants to know.
func monotonic() string {
	var now unix.Timespec

	// It fails only for clocks that there are not.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)

	return fmt.Sprintf("MONOTONIC_USEC=%d", time.Duration(now.Nano()).Microseconds())
}
