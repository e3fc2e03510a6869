//go:build !linux

package systemd

// monotonic is nothing where there is no systemd.
func monotonic() string { return "" }
