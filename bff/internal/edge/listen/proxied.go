package listen

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pires/go-proxyproto"
)

// unknownPeer is the remote address of a client whose load balancer says that it is not connected by IP.
const unknownPeer = peerName("unknown")

// Proxied says which connections begin with a PROXY header (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt), of
// version 1 or 2. Its methods are safe for concurrent use.
type Proxied struct {
	// From are those whose connections must have one. From others it is not read, and is an invalid request.
	From Peers
	// Timeout bounds its arrival.
	Timeout time.Duration
	// Refused is called for each connection that has sent something else. It must be safe for concurrent use and not block. A
	// connection that ends without a byte, as those of some health checks do, is none.
	Refused func(peer net.Addr, err error)
}

// Conn returns the connection with the addresses that are in its header, which is read when an address or the first byte is asked
// for: not by who accepts connections. If it is invalid or late, reading fails. A connection that a load balancer makes on its own
// behalf (LOCAL, UNKNOWN) keeps its addresses.
func (p Proxied) Conn(conn net.Conn) net.Conn {
	if !p.Must(conn.RemoteAddr()) {
		return conn
	}

	sent := &sentConn{Conn: conn}
	parsed := proxyproto.NewConn(sent, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(p.Timeout))

	return &proxiedConn{Conn: parsed, sent: sent, refused: p.Refused}
}

// Must reports whether connections of a peer must have a header.
func (p Proxied) Must(peer net.Addr) bool {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return p.From.Sockets
	}

	address, _ := netip.AddrFromSlice(tcp.IP)

	return p.From.Contain(address.Unmap())
}

// proxiedConn is a connection with a header.
type proxiedConn struct {
	*proxyproto.Conn

	sent    *sentConn
	refused func(net.Addr, error)
	once    sync.Once
}

// RemoteAddr implements net.Conn. net/http asks for it first, on a goroutine of the connection's own.
func (c *proxiedConn) RemoteAddr() net.Addr {
	header := c.ProxyHeader()

	switch {
	case header == nil:
		c.once.Do(c.refuse)
	case header.Command.IsLocal():
	default:
		if _, _, ok := header.IPs(); !ok {
			return unknownPeer
		}
	}

	return c.Conn.RemoteAddr()
}

// refuse reports why there is no header.
func (c *proxiedConn) refuse() {
	if _, err := c.Read(nil); err != nil && c.sent.any.Load() {
		c.refused(c.sent.RemoteAddr(), err)
	}
}

// sentConn knows whether its client has sent anything.
type sentConn struct {
	net.Conn

	any atomic.Bool
}

// Read implements io.Reader.
func (c *sentConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.any.Load() {
		c.any.Store(true)
	}

	return n, err //nolint:wrapcheck // It is that of the connection.
}
