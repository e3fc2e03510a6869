package edge

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/portico-gateway/portico/bff/internal/edge/listen"
)

// clientAddress finds the address of a client. Without trusted prefixes it is the connection's. With them it is the rightmost
// address outside of them among X-Forwarded-For and, to its right, the connection's own; if all are trusted, the leftmost.
//
// A program that connects to a Unix socket has no address: the client is unknown, unless it is such a proxy, and then as above.
//
// Elements to the left of an address that is not trusted may be forged, and are ignored. An invalid element ends the search: the
// address is that of the proxy that sent it, so all such clients of the proxy count as one. That is logged once.
type clientAddress struct {
	proxies proxies
	warn    func(r *http.Request, proxy netip.Addr, element string)
}

// newClientAddress panics if a prefix cannot be parsed.
func newClientAddress(trusted []string, logger *slog.Logger) clientAddress {
	return clientAddress{proxies: proxies{listen.NewPeers(trusted)}, warn: warnOnce(logger)}
}

func (c clientAddress) of(r *http.Request) netip.Addr {
	client, invalid := c.proxies.client(r)
	if invalid != "" {
		c.warn(r, client, invalid)
	}

	return client
}

// warnOnce returns a function that logs the first invalid element.
func warnOnce(logger *slog.Logger) func(r *http.Request, proxy netip.Addr, element string) {
	// Not a sync.Once, which blocks the others until the line is written.
	var logged atomic.Bool

	return func(r *http.Request, proxy netip.Addr, element string) {
		if logged.CompareAndSwap(false, true) {
			logger.LogAttrs(r.Context(), slog.LevelWarn,
				"X-Forwarded-For of a trusted proxy cannot be read; its clients count as one (this is logged once)",
				slog.String("proxy", proxy.String()), slog.String("element", fmt.Sprintf("%.100s", element)))
		}
	}
}

// proxies are those that are trusted.
type proxies struct{ listen.Peers }

// sent reports whether a request is from one of them.
func (p proxies) sent(r *http.Request) bool {
	return p.Sockets && r.RemoteAddr == listen.UnixPeer || p.Contain(peer(r))
}

// client walks from the connection towards the client as long as proxies are trusted. Several fields are one list (RFC 9110,
// section 5.3), whose empty elements do not count (section 5.6.1.2). The element is an invalid one; empty: there was none.
func (p proxies) client(r *http.Request) (client netip.Addr, element string) {
	client = peer(r)
	fields := r.Header["X-Forwarded-For"]

	if len(fields) == 0 {
		return client, ""
	}

	trusted := p.sent(r)

	for _, rest := range slices.Backward(fields) {
		for rest != "" {
			if !trusted {
				return client, ""
			}

			comma := strings.LastIndexByte(rest, ',')
			element, rest = strings.Trim(rest[comma+1:], " \t"), rest[:max(comma, 0)]

			if element == "" {
				continue
			}

			address, ok := parseNode(element)
			if !ok {
				return client, element
			}

			client, trusted = address, p.Contain(address)
		}
	}

	return client, ""
}

// parseNode parses an address as proxies write it: with or without a port, brackets and quotes (RFC 7239, section 6).
func parseNode(text string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		text = strings.TrimSuffix(inner, `"`)
	}

	if address, err := netip.ParseAddr(text); err == nil {
		return plain(address), true
	}

	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(text, "]") {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return plain(address), err == nil
	}

	withPort, err := netip.ParseAddrPort(text)

	return plain(withPort.Addr()), err == nil
}

// plain is the address without its zone, which has a meaning on one machine only; an IPv4-mapped IPv6 address (RFC 4291, section
// 2.5.5.2) becomes the IPv4 address.
func plain(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

// peer is the address of the connection; invalid if it is not one of TCP.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}

	// On an error it is the zero value, which is invalid.
	address, _ := netip.ParseAddr(host)

	return plain(address)
}
