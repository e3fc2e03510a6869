package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// isUpstreamAddress reports whether a connection can be made to it: host:port, where no host is this machine, or unix:path.
func isUpstreamAddress(address string) bool {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return path != ""
	}

	host, port, err := net.SplitHostPort(address)

	return err == nil && isPort(port) && (host == "" || isHost(host))
}

// isAuthority reports whether the text is host[:port] as in a URI, with IPv6 addresses in brackets (RFC 3986, section 3.2; without
// user information, as RFC 9113, section 8.3.1, requires).
func isAuthority(text string) bool {
	if host, port, err := net.SplitHostPort(text); err == nil {
		return isPort(port) && isHost(host) && !strings.Contains(host, "%")
	}

	if inner, ok := strings.CutPrefix(text, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))

		return err == nil && ip.Is6() && ip.Zone() == "" && strings.HasSuffix(inner, "]")
	}

	return hostName.MatchString(text)
}

// isHost reports whether it is a name of DNS or an IP address.
func isHost(text string) bool {
	_, err := netip.ParseAddr(text)

	return err == nil || hostName.MatchString(text)
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)

	return err == nil && port > 0
}
