// Package connection guards the connections of clients: how many may be open, how many requests each may abort, and how much may
// wait in memory for clients that read slowly. What is too much is closed or refused at once; nothing waits in a queue.
package connection

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ConnectionConfig bounds connections. Zero: they are not bounded.
type ConnectionConfig struct {
	// Max is how many may be open.
	Max int
	// MaxAborted is how many requests a connection may break off beyond those that it lets finish.
	MaxAborted int
	// Leaving tells whether clients should go elsewhere. It must be safe for concurrent use. Nil: never.
	Leaving func() bool
}

// Connections are those of one http.Server, which must call Context and State. It is safe for concurrent use.
//
// As long as there is room, connections stay open between requests. From nine tenths of the limit on, answers ask the client to
// close its connection, so that those who came first do not hold them all. At the limit, a new connection takes the place of the
// one that has waited longest for a request, as in nginx; if all are busy, the new one is closed at once. Left in the listener's
// backlog instead, its client would wait for nobody knows how long, and a balancer would take the gateway for healthy.
type Connections struct {
	config ConnectionConfig
	open   atomic.Int64

	mu    sync.Mutex
	known map[net.Conn]*connection
	// quiet are those that wait for a request, the first for the longest time.
	quiet list.List
	// fresh are those without any request so far.
	fresh int
}

// connection is guarded by the mutex of Connections.
type connection struct {
	conn  net.Conn
	fresh bool
	// since is when it became quiet, place where it is among the quiet ones; nil: it is busy.
	since time.Time
	place *list.Element
}

// evictable is how long a connection must have been quiet to be closed in favour of another one. A client that is at work sends its
// next request sooner, and that would be lost.
const evictable = time.Second

// NewConnections returns none.
func NewConnections(c ConnectionConfig) *Connections {
	if c.Leaving == nil {
		c.Leaving = func() bool { return false }
	}

	return &Connections{config: c, known: map[net.Conn]*connection{}}
}

// Open is how many connections there are.
func (c *Connections) Open() int { return int(c.open.Load()) }

// Fresh is how many connections there are whose first request is still to come.
func (c *Connections) Fresh() int {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.fresh
}

// Context is for http.Server.ConnContext.
func (*Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(context.WithValue(ctx, connKey{}, conn), debtKey{}, newDebt())
}

type connKey struct{}

// connOf returns the connection that a request came by, if it is known.
func connOf(ctx context.Context) (net.Conn, bool) {
	conn, ok := ctx.Value(connKey{}).(net.Conn)

	return conn, ok
}

// State is for http.Server.ConnState.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	if unwanted := c.note(conn, state); unwanted != nil {
		abandon(unwanted)
	}
}

// note returns the connection that has to go; nil if all may stay.
func (c *Connections) note(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()

	k, known := c.known[conn]

	switch {
	case state == http.StateNew:
		return c.admit(conn)
	case !known: // It had to go.
	case state == http.StateActive:
		c.wake(k)
	case state == http.StateIdle:
		c.rest(k)
	default:
		c.forget(k)
	}

	return nil
}

func (c *Connections) admit(conn net.Conn) (unwanted net.Conn) {
	if c.config.Max > 0 && len(c.known) >= c.config.Max {
		oldest := c.quiet.Front()
		if oldest == nil {
			return conn
		}

		k, ok := oldest.Value.(*connection)
		if !ok || time.Since(k.since) < evictable {
			return conn
		}

		c.forget(k)

		unwanted = k.conn
	}

	k := &connection{conn: conn, fresh: true}
	c.known[conn] = k
	c.fresh++
	c.open.Add(1)
	c.rest(k)

	return unwanted
}

func (c *Connections) rest(k *connection) {
	if k.place == nil {
		k.since, k.place = time.Now(), c.quiet.PushBack(k)
	}
}

func (c *Connections) wake(k *connection) {
	if k.place != nil {
		c.quiet.Remove(k.place)
		k.place = nil
	}

	if k.fresh {
		k.fresh = false
		c.fresh--
	}
}

func (c *Connections) forget(k *connection) {
	c.wake(k)
	delete(c.known, k.conn)
	c.open.Add(-1)
}

// crowded tells whether the limit is near.
func (c *Connections) crowded() bool {
	const near, of = 9, 10

	return c.config.Max > 0 && c.open.Load()*of >= int64(c.config.Max)*near
}

// abandon closes a connection without a farewell of TLS, for which the accepting goroutine would have to wait.
func abandon(conn net.Conn) {
	if encrypted, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = encrypted.NetConn()
	}

	// There is nobody left to tell.
	_ = conn.Close()
}
