// Package faultproxy is a TCP proxy that makes the network bad on purpose: slow to answer, narrow, or cut.
//
// It is for drills and tests. It knows nothing of what it carries, and is no measure of how fast that could be.
package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// chunkBytes is how much is read at once. It is little, so that a narrow network is narrow for everyone on it.
	chunkBytes = 4 << 10
	// queuedChunks bounds what is under way in one direction of a connection.
	queuedChunks = 64
	// dialTimeout is for the way to the target, which is on the same machine.
	dialTimeout = time.Second
)

// Fault is what is wrong with the network. The zero value is nothing.
type Fault struct {
	// Latency is added to the way of each byte, in both directions.
	Latency time.Duration
	// BytesPerSecond is how many get through in one direction of a connection. 0 is any number.
	BytesPerSecond int
}

// Proxy hands on connections to a target. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	fault    atomic.Pointer[Fault]
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	target target
	open   map[*net.TCPConn]net.Conn // From clients, and on to the target once there is a connection.
}

type target struct{ network, address string }

// Open listens on a free port of loopback. Until it is pointed somewhere it takes connections and closes them. The caller closes
// it.
func Open(ctx context.Context) (*Proxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open fault proxy: %w", err)
	}

	p := &Proxy{listener: listener, open: make(map[*net.TCPConn]net.Conn)}
	p.fault.Store(&Fault{})
	p.running.Go(p.accept)

	return p, nil
}

// Address is where it listens, host:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Point sets where new connections lead to; the network is "tcp" or "unix". Those that there are stay.
func (p *Proxy) Point(network, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.target = target{network, address}
}

// Set puts a fault in place of the one before, for new and present connections.
func (p *Proxy) Set(f Fault) { p.fault.Store(&f) }

// Cut resets all present connections (TCP RST towards the client). What was under way is lost.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()

	for client, server := range p.open {
		abort(client)

		if server != nil {
			_ = server.Close() // One that hangs would keep what is on its way to it.
		}
	}
}

// Close cuts all connections and returns when nothing runs any more.
func (p *Proxy) Close() error {
	err := p.listener.Close()

	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()

	p.Cut()
	p.running.Wait()

	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close fault proxy: %w", err)
	}

	return nil
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // It is closed.
		}

		client, ok := conn.(*net.TCPConn)
		if !ok || !p.enter(client) {
			_ = conn.Close() // Nobody was served on it.

			continue
		}

		p.running.Go(func() {
			defer p.leave(client)

			p.carry(client)
		})
	}
}

// enter refuses when the proxy is closed: nobody would cut the connection then.
func (p *Proxy) enter(client *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	if !p.closed {
		p.open[client] = nil
	}

	return !p.closed
}

func (p *Proxy) leave(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()

	delete(p.open, client)
}

// carry hands everything on in both directions until one of them ends.
func (p *Proxy) carry(client *net.TCPConn) {
	server, err := p.connect(client)
	if err != nil {
		abort(client)

		return
	}

	var both sync.WaitGroup

	for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
		both.Go(func() {
			p.pump(way[0], way[1])
			// The other direction ends with it: who has half a connection has none.
			_ = server.Close()
			_ = client.Close()
		})
	}

	both.Wait()
}

// connect goes on to the target.
func (p *Proxy) connect(client *net.TCPConn) (net.Conn, error) {
	p.mu.Lock()
	to := p.target
	p.mu.Unlock()

	dialer := net.Dialer{Timeout: dialTimeout}

	server, err := dialer.DialContext(context.Background(), to.network, to.address)
	if err != nil {
		return nil, fmt.Errorf("connect to target: %w", err)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	p.open[client] = server

	// It would not be closed by Close any more.
	if p.closed {
		return nil, errors.Join(net.ErrClosed, server.Close())
	}

	return server, nil
}

// chunk is a piece of a stream, and when it is to arrive.
type chunk struct {
	bytes []byte
	due   time.Time
}

// pump reads ahead of what it writes, so that latency does not make the network narrow.
func (p *Proxy) pump(to, from net.Conn) {
	queue := make(chan chunk, queuedChunks)

	p.running.Go(func() {
		defer close(queue)

		for {
			buffer := make([]byte, chunkBytes)

			n, err := from.Read(buffer)
			if n > 0 {
				queue <- chunk{bytes: buffer[:n], due: time.Now().Add(p.fault.Load().Latency)}
			}

			if err != nil {
				return
			}
		}
	})

	for c := range queue {
		time.Sleep(time.Until(c.due))

		if rate := p.fault.Load().BytesPerSecond; rate > 0 {
			time.Sleep(time.Duration(len(c.bytes)) * time.Second / time.Duration(rate))
		}

		if _, err := to.Write(c.bytes); err != nil {
			_ = from.Close() // Ends the reading, and with it the queue.
		}
	}
}

// abort closes so that the other side sees a reset and not an end.
func abort(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // It may be closed already; then there is nothing to reset.
	_ = conn.Close()
}
