package config

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// serverAddress is the setting that cannot be turned off.
const serverAddress = "server.address"

// listeners checks the addresses to listen on: their form, and that all can be listened on at the same time.
func (v *validation) listeners(c Config) {
	before := map[string]endpoint{}

	for _, l := range []struct{ path, address string }{
		{serverAddress, c.Server.Address}, {"admin.address", c.Admin.Address}, {"health.address", c.Health.Address},
	} {
		if l.address == AdminOff && l.path != serverAddress {
			continue
		}

		at, ok := v.listener(l.path, l.address)
		if !ok {
			continue
		}

		for _, path := range slices.Sorted(maps.Keys(before)) {
			v.check(!at.overlaps(before[path]), l.path,
				fmt.Sprintf("%q cannot be listened on beside %s; choose another %s", l.address, path, at.kind()))
		}

		before[l.path] = at
	}
}

// endpoint is an address of TCP, whose host may be empty, which means all addresses of this machine to a listener; or another
// socket.
type endpoint struct {
	host string
	port int
	// socket is the path of a Unix socket, or "systemd:" and the name of one of systemd's; empty: the address is one of TCP.
	socket string
}

// listener reports whether it is an address to listen on.
func (v *validation) listener(path, address string) (endpoint, bool) {
	if socket, err := ParseListenAddress(path, address); err != nil {
		v.check(false, path, err.Error())

		return endpoint{}, false
	} else if socket.Socket != "" || socket.Systemd != "" {
		return socket.endpoint(), true
	}

	at, ok := parseListener(address)

	reason := fmt.Sprintf("%q is not host:port, such as 127.0.0.1:8080", address)

	switch {
	case strings.Contains(address, "://"):
		reason += ", without a scheme"
	case path != serverAddress && (turnsOff(strings.ToLower(address)) || address == ""):
		reason += fmt.Sprintf("; write %q to turn the listener off", AdminOff)
	case address != "" && strings.Trim(address, "0123456789") == "":
		reason += fmt.Sprintf(`; write ":%s" for the port on all addresses`, address)
	}

	v.check(ok, path, reason)

	return at, ok
}

// parseListener reads host:port. The port is a number up to 65535, where 0 is for any that is free, or a name of the system's, such
// as https.
func parseListener(address string) (endpoint, bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" || host != "" && !isHost(host) {
		return endpoint{}, false
	}

	number, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", port)

	return endpoint{host: host, port: number}, err == nil
}

// endpoint is that of a socket which is not one of TCP.
func (a ListenAddress) endpoint() endpoint {
	if a.Systemd != "" {
		return endpoint{socket: systemdScheme + a.Systemd}
	}

	return endpoint{socket: a.Socket}
}

// kind is what another listener has to have another one of.
func (e endpoint) kind() string {
	switch {
	case strings.HasPrefix(e.socket, systemdScheme):
		return "name"
	case e.socket != "":
		return "path"
	default:
		return "port"
	}
}

// overlaps reports whether two listeners cannot be there at the same time, as far as the addresses say.
func (e endpoint) overlaps(other endpoint) bool {
	if e.socket != "" || other.socket != "" {
		return e.socket == other.socket
	}

	return e.port == other.port && e.port != 0 && (e.everywhere() || other.everywhere() || e.same(other))
}

// same reports whether both are the same address, as far as the text says: no name is looked up but localhost.
func (e endpoint) same(other endpoint) bool {
	return e.port == other.port && strings.EqualFold(e.address(), other.address())
}

func (e endpoint) everywhere() bool {
	ip, err := netip.ParseAddr(e.host)

	return e.host == "" || err == nil && ip.IsUnspecified()
}

func (e endpoint) address() string {
	if ip, err := netip.ParseAddr(e.host); err == nil {
		return ip.Unmap().String()
	}

	if strings.EqualFold(e.host, "localhost") {
		return "127.0.0.1"
	}

	return e.host
}
