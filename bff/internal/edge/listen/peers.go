package listen

import (
	"net/netip"
	"slices"

	"github.com/portico-gateway/portico/bff/config"
)

// Peers are those on the other side of connections, as in client_ip.trusted_proxies and server.proxy_protocol.from.
type Peers struct {
	prefixes []netip.Prefix
	// Sockets reports whether programs that connect to a Unix socket are among them.
	Sockets bool
}

// NewPeers panics if a prefix cannot be parsed.
func NewPeers(list []string) Peers {
	var p Peers

	for _, text := range list {
		if text == config.UnixPeers {
			p.Sockets = true
		} else {
			p.prefixes = append(p.prefixes, mustPrefix(text))
		}
	}

	return p
}

// Contain reports whether those with the address are among them. It must not be IPv4-mapped.
func (p Peers) Contain(address netip.Addr) bool {
	return slices.ContainsFunc(p.prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}

// mustPrefix parses a prefix. One of IPv4-mapped IPv6 addresses becomes the IPv4 prefix.
func mustPrefix(text string) netip.Prefix {
	const mapped = 96 // Bits before the IPv4 address.

	prefix := netip.MustParsePrefix(text)
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}

	return prefix
}
