// Package faultproxy is a TCP proxy that injects network faults: latency, low bandwidth, and resets. It is for drills and tests.
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
	// chunkBytes is how much is read at once. It is small, so that a low bandwidth is shared fairly.
	chunkBytes = 4 << 10
	// queuedChunks bounds what is in flight in one direction of a connection.
	queuedChunks = 64
	// dialTimeout is for the target, which is on the same machine.
	dialTimeout = time.Second
)

// Fault is what is wrong with the network. The zero value is no fault.
type Fault struct {
	// Latency is added in each direction.
	Latency time.Duration
	// BytesPerSecond limits each direction of a connection. 0 is no limit.
	BytesPerSecond int
}

// Proxy forwards connections to a target. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	fault    atomic.Pointer[Fault]
	target   atomic.Pointer[target]
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool // On both sides.
}

type target struct{ network, address string }

// Open listens on a free port of loopback until Close. It resets connections until Point is called.
func Open(ctx context.Context) (*Proxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open fault proxy: %w", err)
	}

	p := &Proxy{listener: listener, open: make(map[net.Conn]bool)}
	p.Set(Fault{})
	p.Point("", "")
	p.running.Go(p.accept)

	return p, nil
}

// Address returns the host and port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Point sets the target of new connections; the network is "tcp" or "unix". Present connections stay.
func (p *Proxy) Point(network, address string) { p.target.Store(&target{network, address}) }

// Set replaces the fault, for new and present connections.
func (p *Proxy) Set(f Fault) { p.fault.Store(&f) }

// Cut resets all present connections (TCP RST). Data in flight is lost.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()

	// All of them before the first is closed: the end of one side of a connection closes the other.
	for conn := range p.open {
		resetOnClose(conn)
	}

	for conn := range p.open {
		_ = conn.Close()
	}
}

// Close cuts all connections and waits for the end.
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
		client, err := p.listener.Accept()
		if err != nil {
			return // It is closed.
		}

		p.running.Go(func() { p.carry(client) })
	}
}

// enter reports whether Cut and Close know the connection from now on. It aborts it if the proxy is closed.
func (p *Proxy) enter(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.closed {
		abort(conn)
	} else {
		p.open[conn] = true
	}

	return !p.closed
}

func (p *Proxy) leave(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()

	delete(p.open, conn)
}

// carry forwards both directions until one of them ends.
func (p *Proxy) carry(client net.Conn) {
	if !p.enter(client) {
		return
	}
	defer p.leave(client)

	to, dialer := p.target.Load(), net.Dialer{Timeout: dialTimeout}

	server, err := dialer.DialContext(context.Background(), to.network, to.address)
	if err != nil || !p.enter(server) {
		abort(client)

		return
	}
	defer p.leave(server)

	var both sync.WaitGroup

	for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
		both.Go(func() {
			p.pump(way[0], way[1])
			// The other direction ends with it.
			_ = server.Close()
			_ = client.Close()
		})
	}

	both.Wait()
}

// chunk is a part of a stream, and when it is to arrive.
type chunk struct {
	bytes []byte
	due   time.Time
}

// pump reads ahead of what it writes, so that latency does not limit the bandwidth.
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

// abort closes a connection so that a TCP peer sees a reset and not an end.
func abort(conn net.Conn) {
	resetOnClose(conn)
	_ = conn.Close()
}

func resetOnClose(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // It may be closed already.
	}
}
