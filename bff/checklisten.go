package bff

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/listen"
)

// listeners tries to listen on the addresses of a configuration, each for a moment.
func (f *Findings) listeners(ctx context.Context, cfg config.Config) {
	f.listen(ctx, "server.address", cfg.Server.Address)

	if cfg.Admin.Address != config.AdminOff {
		f.listen(ctx, "admin.address", cfg.Admin.Address)
	}

	if cfg.Health.Address != config.HealthOff {
		f.listen(ctx, "health.address", cfg.Health.Address)
	}
}

// listen does nothing for a socket of systemd, which only the service gets.
func (f *Findings) listen(ctx context.Context, setting, address string) {
	at, err := config.ParseListenAddress(setting, address)
	if err != nil || f.within(setting) {
		return
	}

	if at.Socket != "" {
		f.trySocket(ctx, setting, at)
	} else if host, _, err := net.SplitHostPort(at.TCP); err == nil && isLocal(host) {
		f.tryListen(ctx, setting, address)
	}
}

// trySocket looks at what is there. That of a gateway that runs is left alone, so no socket is opened.
func (f *Findings) trySocket(ctx context.Context, setting string, at config.ListenAddress) {
	if info, err := os.Stat(filepath.Dir(at.Socket)); err != nil {
		f.faultf(setting, "the folder of the Unix socket cannot be used: %w", err)

		return
	} else if !info.IsDir() {
		f.faultf(setting, "%s is not a folder", filepath.Dir(at.Socket))

		return
	}

	err := listen.Replaceable(ctx, at.Socket)

	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.warnf(setting, "%s is in use: by a gateway that runs with this configuration, or by another program", at.Socket)
	case err != nil:
		f.faultf(setting, "%w", err)
	}
}

func (f *Findings) tryListen(ctx context.Context, setting, address string) {
	var lc net.ListenConfig

	listener, err := lc.Listen(ctx, "tcp", address)
	if err == nil {
		// That it could be opened is all that matters.
		_ = listener.Close()

		return
	}

	reason := err
	if op, ok := errors.AsType[*net.OpError](err); ok {
		reason = op.Err
	}

	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.warnf(setting, "%s is in use: by a gateway that runs with this configuration, or by another program", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.faultf(setting, "%s cannot be listened on: it is no address of this machine; :port is for all of them", address)
	case errors.Is(err, syscall.EACCES):
		f.faultf(setting, "%s cannot be listened on: permission denied; choose a port of 1024 or more, or give the process"+
			" CAP_NET_BIND_SERVICE", address)
	default:
		f.faultf(setting, "%s cannot be listened on: %w", address, reason)
	}
}

// isLocal reports whether a host is found without asking DNS.
func isLocal(host string) bool {
	_, err := netip.ParseAddr(host)

	return err == nil || host == "" || host == "localhost"
}
