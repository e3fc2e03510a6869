package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// The beginnings of addresses to listen on that are not host:port, and what client_ip.trusted_proxies and
// server.proxy_protocol.from call the peers of Unix sockets.
const (
	unixScheme    = "unix:"
	systemdScheme = "systemd:"

	// UnixPeers are the programs that connect to a Unix socket.
	UnixPeers = "unix"
)

// defaultSocketMode lets the user and the group of the process connect to a Unix socket.
const defaultSocketMode fs.FileMode = 0o660

// maxSocketPath is how long the path of a Unix socket may be on every system that has them, in bytes (macOS; Linux has 107).
const maxSocketPath = 103

// ListenAddress is what an address to listen on means. One of TCP, Socket and Systemd is set.
type ListenAddress struct {
	// TCP is host:port.
	TCP string
	// Socket is the absolute path of a Unix socket. Mode is who may connect to it, and Group its group; empty: that of the process.
	Socket string
	Mode   fs.FileMode
	Group  string
	// Systemd is the name of a socket that systemd has opened (FileDescriptorName= of its unit).
	Systemd string
}

// ParseListenAddress reads the address of a setting, such as "server.address": host:port, which is not checked, unix:/path with
// ?mode=0660 and &group=NAME, or systemd:NAME. Without a name, it is the first part of the setting ("server").
func ParseListenAddress(setting, address string) (ListenAddress, error) {
	if rest, ok := strings.CutPrefix(address, unixScheme); ok {
		return parseSocket(rest)
	}

	name, ok := strings.CutPrefix(address, systemdScheme)
	if !ok {
		return ListenAddress{TCP: address}, nil
	}

	if name == "" {
		name, _, _ = strings.Cut(setting, ".")
	}

	if strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == ':' || c > '~' }) {
		return ListenAddress{}, fmt.Errorf("%q is not systemd:NAME: FileDescriptorName= has no such character", address)
	}

	return ListenAddress{Systemd: name}, nil
}

// parseSocket reads what follows "unix:".
func parseSocket(text string) (ListenAddress, error) {
	path, query, _ := strings.Cut(text, "?")
	parsed := ListenAddress{Socket: filepath.Clean(path), Mode: defaultSocketMode}

	switch {
	case !filepath.IsAbs(path):
		return ListenAddress{}, fmt.Errorf("%q is not the absolute path of a Unix socket, such as unix:/run/portico/server.sock",
			unixScheme+text)
	case len(path) > maxSocketPath:
		return ListenAddress{}, fmt.Errorf("the path of a Unix socket may have %d bytes, and %q has %d",
			maxSocketPath, path, len(path))
	}

	values, err := url.ParseQuery(query)
	if err != nil {
		return ListenAddress{}, fmt.Errorf("%q: %w", query, err)
	}

	for name, given := range values {
		switch value := given[len(given)-1]; {
		case len(given) > 1:
			return ListenAddress{}, fmt.Errorf("%s is set more than once", name)
		case name == "mode":
			if parsed.Mode, err = parseMode(value); err != nil {
				return ListenAddress{}, err
			}
		case name == "group" && value != "":
			parsed.Group = value
		default:
			return ListenAddress{}, fmt.Errorf("%q is not mode=0660 or group=NAME", name+"="+value)
		}
	}

	return parsed, nil
}

var errSocketMode = errors.New("the mode of a Unix socket is a number from 0600 to 0777, such as 0660")

// parseMode reads permissions in octal. The user of the process can always connect.
func parseMode(text string) (fs.FileMode, error) {
	const octal, bits, owner = 8, 9, 0o600

	mode, err := strconv.ParseUint(text, octal, bits)
	if err != nil || mode&owner != owner {
		return 0, fmt.Errorf("%q: %w", text, errSocketMode)
	}

	return fs.FileMode(mode), nil
}
