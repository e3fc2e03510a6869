package balance

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
)

// Track returns the credentials, with connections that the policy can watch and close. Connections find their subchannel by the
// attributes of its address, so no global list of them is needed.
func Track(inner credentials.TransportCredentials) credentials.TransportCredentials {
	return tracking{inner}
}

type tracking struct {
	credentials.TransportCredentials
}

func (t tracking) ClientHandshake(
	ctx context.Context, authority string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	list, ok := credentials.ClientHandshakeInfoFromContext(ctx).Attributes.Value(connsKey{}).(*conns)
	if !ok {
		return t.TransportCredentials.ClientHandshake(ctx, authority, raw)
	}

	tracked := list.add(raw)

	secured, info, err := t.TransportCredentials.ClientHandshake(ctx, authority, tracked)
	if err != nil {
		tracked.markLost()
	}

	return secured, info, err
}

func (t tracking) Clone() credentials.TransportCredentials {
	return tracking{t.TransportCredentials.Clone()}
}

type connsKey struct{}

// String is the name of the attribute in gRPC's log.
func (connsKey) String() string { return LoggedAs }

// LoggedAs is in gRPC's log lines about addresses that this package balances over, as the name of an attribute, and about their
// names. This package logs itself what an operator has to know about them.
const LoggedAs = "portico.upstream"

// conns are the connections of a subchannel: one, and those that are being closed. It is safe for concurrent use.
type conns struct {
	// upstream is the name of the backend.
	upstream string
	// latest is the one that calls use, or nil.
	latest atomic.Pointer[conn]

	mu   sync.Mutex
	open map[*conn]struct{}
}

// String is the value of the attribute in gRPC's log.
func (c *conns) String() string { return c.upstream }

// at returns the address; connections to it are added to these.
func (c *conns) at(address resolver.Address) resolver.Address {
	address.Attributes = address.Attributes.WithValue(connsKey{}, c)
	return address
}

func (c *conns) add(raw net.Conn) *conn {
	added := &conn{Conn: raw, list: c}

	c.mu.Lock()
	defer c.mu.Unlock()

	if c.open == nil {
		c.open = map[*conn]struct{}{}
	}

	c.open[added] = struct{}{}
	c.latest.Store(added)

	return added
}

func (c *conns) remove(lost *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()

	delete(c.open, lost)
	c.latest.CompareAndSwap(lost, nil)
}

// close closes all of them without gRPC, which fails the calls on them at once.
func (c *conns) close() {
	c.mu.Lock()
	list := slices.Collect(maps.Keys(c.open))
	c.mu.Unlock()

	for _, open := range list {
		_ = open.Close() // An error makes no difference.
	}
}

// conn is a connection that counts its reads.
type conn struct {
	net.Conn

	list  *conns
	reads atomic.Uint64
	// lost reports that it has ended, and counted that a call on it was counted as failed since.
	lost, counted atomic.Bool
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.reads.Add(1)
	}

	if err != nil {
		c.markLost()
	}

	return n, err
}

func (c *conn) Close() error {
	c.markLost()
	return c.Conn.Close()
}

func (c *conn) markLost() {
	if !c.lost.Swap(true) {
		c.list.remove(c)
	}
}
