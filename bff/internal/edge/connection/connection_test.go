package connection_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
)

// conn is the server's end of a connection that knows whether it was closed.
type conn struct {
	net.Conn

	closed bool
}

func (c *conn) Close() error {
	c.closed = true

	return nil
}

// open opens connections, without any request.
func request() *http.Request { return httptest.NewRequest(http.MethodGet, "/v1/orders", nil) }

func fine(http.ResponseWriter, *http.Request) {}

func open(conns *connection.Guard, n int) []*conn {
	opened := make([]*conn, n)
	for i := range opened {
		opened[i] = &conn{}
		conns.State(opened[i], http.StateNew)
	}

	return opened
}

func TestNewConnectionTakesTheOldestQuietPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conns := connection.New(config.Server{MaxConnections: 3}, nil)

		c := open(conns, 3)
		for _, one := range c {
			conns.State(one, http.StateActive)
		}

		conns.State(c[1], http.StateIdle)
		time.Sleep(time.Second)
		conns.State(c[0], http.StateIdle)

		if next := open(conns, 1)[0]; next.closed || c[0].closed || !c[1].closed || c[2].closed {
			t.Errorf("closed the new one %t, of the old ones %t %t %t", next.closed, c[0].closed, c[1].closed, c[2].closed)
		}

		conns.State(c[1], http.StateClosed)

		if got := conns.Open(); got != 3 {
			t.Errorf("%d are open", got)
		}
	})
}

func TestBusyConnectionsStay(t *testing.T) {
	t.Parallel()

	tests := map[string]func(*connection.Guard, *conn){
		"answering":   func(conns *connection.Guard, c *conn) { conns.State(c, http.StateActive) },
		"just_opened": func(*connection.Guard, *conn) {},
		"just_answered": func(conns *connection.Guard, c *conn) {
			conns.State(c, http.StateActive)
			conns.State(c, http.StateIdle)
		},
		"answering_more": func(conns *connection.Guard, c *conn) {
			for range 3 {
				conns.State(c, http.StateActive)
				conns.State(c, http.StateIdle)
			}

			conns.State(c, http.StateActive)
			time.Sleep(time.Minute)
		},
	}

	for name, bring := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				conns := connection.New(config.Server{MaxConnections: 1}, nil)
				busy := open(conns, 1)[0]
				bring(conns, busy)

				next := open(conns, 1)[0]
				if !next.closed || busy.closed || conns.Open() != 1 {
					t.Errorf("closed the new one %t, the other %t; %d are open", next.closed, busy.closed, conns.Open())
				}

				conns.State(next, http.StateClosed)
				conns.State(busy, http.StateClosed)

				if conns.Open() != 0 || conns.Fresh() != 0 {
					t.Errorf("%d are open, %d fresh", conns.Open(), conns.Fresh())
				}

				if next := open(conns, 1)[0]; next.closed {
					t.Error("there was room again")
				}
			})
		})
	}
}

func TestSilentConnectionsDoNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conns := connection.New(config.Server{MaxConnections: 100}, nil)
		open(conns, 100)
		time.Sleep(time.Second)

		for _, next := range open(conns, 50) {
			if next.closed {
				t.Fatal("was closed")
			}
		}
	})
}

func TestFreshConnectionsWaitForTheirFirstRequest(t *testing.T) {
	t.Parallel()

	conns := connection.New(config.Server{}, nil)
	c := open(conns, 4)
	conns.State(c[0], http.StateActive)
	conns.State(c[1], http.StateActive)
	conns.State(c[1], http.StateIdle)
	conns.State(c[2], http.StateClosed)

	if conns.Fresh() != 1 || conns.Open() != 3 {
		t.Errorf("%d are fresh, %d open", conns.Fresh(), conns.Open())
	}
}

func TestAnswersCloseNearTheLimit(t *testing.T) {
	t.Parallel()

	conns := connection.New(config.Server{MaxConnections: 10}, nil)
	client := connect(t, conns)
	c := open(conns, 8)

	if closes(client.send(fine)) {
		t.Error("closes with room for two more")
	}

	open(conns, 1)

	if !closes(client.send(fine)) {
		t.Error("does not close with room for one more")
	}

	conns.State(c[0], http.StateClosed)

	if closes(client.send(fine)) {
		t.Error("closes although there is room again")
	}
}

// Once, the accepting goroutine would have waited for a client to take TLS's farewell.
func TestEncryptedConnectionIsClosedWithoutAlert(t *testing.T) {
	t.Parallel()

	conns := connection.New(config.Server{MaxConnections: 1}, nil)
	open(conns, 1)

	inner := &conn{}
	conns.State(tls.Server(inner, &tls.Config{}), http.StateNew)

	if !inner.closed {
		t.Error("it is still open")
	}
}

// BenchmarkState is what each request of a connection costs.
func BenchmarkState(b *testing.B) {
	conns := connection.New(config.Server{MaxConnections: 10_000}, nil)
	busy := open(conns, 1000)[500]

	b.ReportAllocs()

	for b.Loop() {
		conns.State(busy, http.StateActive)
		conns.State(busy, http.StateIdle)
	}
}
