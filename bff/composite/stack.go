package composite

import "runtime"

// growStack makes the stack of a new goroutine large enough for a gRPC call, which needs more than 8 KiB. Otherwise it would be
// doubled in the depth of the call, several times, and copied each time: an eighth of the CPU of a page over three calls.
//
//go:noinline
func growStack() {
	var room [8 << 10]byte

	runtime.KeepAlive(&room)
}
