// Package connection guards the connections of clients: how many may be open, how many requests each may abort, and how much may be
// buffered for clients that read slowly. Whatever exceeds a limit is closed or refused at once; nothing is queued.
package connection

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

// Guard watches the connections of one http.Server, which must call Context and State. It is safe for concurrent use.
//
// Connections stay open between requests up to nine tenths of the limit. Beyond that, responses ask the client to close its
// connection, so that the first clients do not hold all of them. At the limit, a new connection replaces the one that has been idle
// for longest, as in nginx; if all are active, the new one is closed at once. In the listener's backlog, its client would wait for
// an unknown time, and a balancer would consider the gateway healthy.
type Guard struct {
	maxConnections, maxAborted atomic.Int64
	// leaving reports whether clients should connect elsewhere.
	leaving func() bool
	open    atomic.Int64
	// epoch is how many times connections were renewed.
	epoch atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]*connection
	// order has the idle connections, the one that has waited longest for a request first; then idleEnd; then the active ones.
	order   list.List
	idleEnd *list.Element
	// fresh is how many have had no request yet.
	fresh int
}

// connection is guarded by the mutex of Guard.
type connection struct {
	conn  net.Conn
	fresh bool
	// since is when it became idle. Zero: it is active.
	since time.Time
	// place is its element in Guard.order. It only moves, so that a request allocates none.
	place *list.Element
}

// minIdle is how long a connection must have been idle to be closed in favour of another one. A busy client sends its next request
// sooner, and that would be lost.
const minIdle = time.Second

// New returns a Guard. If MaxConnections is zero, the number of connections is not bounded; if MaxAbortedPerConnection is zero,
// they may abort any number of requests. leaving reports whether clients should connect elsewhere; it must be safe for concurrent
// use. Nil: never.
func New(c config.Server, leaving func() bool) *Guard {
	if leaving == nil {
		leaving = func() bool { return false }
	}

	g := &Guard{leaving: leaving, conns: map[net.Conn]*connection{}}
	g.idleEnd = g.order.PushBack(nil)
	g.SetLimits(c)

	return g
}

// SetLimits changes MaxConnections and MaxAbortedPerConnection. With fewer connections than are open, no more are accepted until
// enough are closed; responses ask for that.
func (g *Guard) SetLimits(c config.Server) {
	g.maxConnections.Store(int64(c.MaxConnections))
	g.maxAborted.Store(int64(c.MaxAbortedPerConnection))
}

// Open is how many connections there are.
func (g *Guard) Open() int { return int(g.open.Load()) }

// Fresh is how many connections have had no request yet.
func (g *Guard) Fresh() int {
	g.mu.Lock()
	defer g.mu.Unlock()

	return g.fresh
}

// Renew makes clients open other connections: each that is open now is closed after the next response, as Handler describes. It is
// for settings that hold for new connections alone.
func (g *Guard) Renew() { g.epoch.Add(1) }

// Context is for http.Server.ConnContext.
func (g *Guard) Context(ctx context.Context, conn net.Conn) context.Context {
	budget := newAbortBudget()
	budget.known, budget.epoch = true, g.epoch.Load()

	return context.WithValue(context.WithValue(ctx, connKey{}, conn), budgetKey{}, budget)
}

type connKey struct{}

// connOf returns the connection of a request, if it is known.
func connOf(ctx context.Context) (net.Conn, bool) {
	conn, ok := ctx.Value(connKey{}).(net.Conn)
	return conn, ok
}

// State is for http.Server.ConnState.
func (g *Guard) State(conn net.Conn, state http.ConnState) {
	if unwanted := g.update(conn, state); unwanted != nil {
		closeAbruptly(unwanted)
	}
}

// update returns the connection that has to be closed; nil if all may stay.
func (g *Guard) update(conn net.Conn, state http.ConnState) net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()

	c, known := g.conns[conn]

	switch {
	case state == http.StateNew:
		return g.add(conn)
	case !known: // It was closed by the guard.
	case state == http.StateActive:
		g.markActive(c)
	case state == http.StateIdle:
		g.markIdle(c)
	default:
		g.remove(c)
	}

	return nil
}

func (g *Guard) add(conn net.Conn) (unwanted net.Conn) {
	if most := g.maxConnections.Load(); most > 0 && int64(len(g.conns)) >= most {
		// At idleEnd, none is idle.
		c, ok := g.order.Front().Value.(*connection)
		if !ok || time.Since(c.since) < minIdle {
			return conn
		}

		g.remove(c)

		unwanted = c.conn
	}

	c := &connection{conn: conn, fresh: true}
	c.place = g.order.PushBack(c)
	g.conns[conn] = c
	g.fresh++
	g.open.Add(1)
	g.markIdle(c)

	return unwanted
}

func (g *Guard) markIdle(c *connection) {
	if c.since.IsZero() {
		c.since = time.Now()
		g.order.MoveBefore(c.place, g.idleEnd)
	}
}

func (g *Guard) markActive(c *connection) {
	if !c.since.IsZero() {
		c.since = time.Time{}
		g.order.MoveToBack(c.place)
	}

	if c.fresh {
		c.fresh = false
		g.fresh--
	}
}

func (g *Guard) remove(c *connection) {
	g.markActive(c)
	g.order.Remove(c.place)
	delete(g.conns, c.conn)
	g.open.Add(-1)
}

// nearLimit reports whether nine tenths of the limit are reached.
func (g *Guard) nearLimit() bool {
	const near, of = 9, 10

	most := g.maxConnections.Load()

	return most > 0 && g.open.Load()*of >= most*near
}

// closeAbruptly closes a connection without the closing alert of TLS, for which the accepting goroutine would have to wait.
func closeAbruptly(conn net.Conn) {
	if encrypted, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = encrypted.NetConn()
	}

	// An error makes no difference.
	_ = conn.Close()
}
