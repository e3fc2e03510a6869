// Package listen opens the sockets that a gateway accepts connections on: of TCP, Unix sockets, and those that systemd has opened.
// It reads the PROXY headers of connections. What is served on them is not its concern.
package listen

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

// Listener is a listener whose Accept can be ended by a deadline.
type Listener interface {
	net.Listener
	SetDeadline(t time.Time) error
}

// Open listens on the address of a setting, such as "server.address"; see config.ParseListenAddress. The error names the setting.
// The sockets of systemd are those that the process was started with; each can be opened once.
func Open(ctx context.Context, sockets *Systemd, setting, address string) (Listener, error) {
	listener, err := open(ctx, sockets, setting, address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}

	return listener, nil
}

func open(ctx context.Context, sockets *Systemd, setting, address string) (Listener, error) {
	at, err := config.ParseListenAddress(setting, address)
	if err != nil {
		return nil, err //nolint:wrapcheck // Open names the setting.
	}

	switch {
	case at.Systemd != "":
		return sockets.take(at.Systemd)
	case at.Socket != "":
		return openSocket(ctx, at)
	}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", at.TCP)
	if err != nil {
		return nil, err //nolint:wrapcheck // Open names the setting, and the error has the address.
	}

	tcp, _ := listener.(Listener) // One of package net is.

	return tcp, nil
}
