package bff

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/listen"
)

// front serves the clients of a listener. An http.Server does not take other settings, so there is another one after they have
// changed: it gets the connections that are accepted from then on. It is safe for concurrent use.
type front struct {
	mu       sync.Mutex
	listener listen.Listener
	// accept is the listener, with what is told of it.
	accept net.Listener
	// transport puts what is below HTTP on a new connection, without waiting for its client.
	transport func(net.Conn) net.Conn
	make      func(config.Server) *http.Server
	failed    func(error)
	// servers are those with connections. The last one accepts.
	servers []*server
}

// server is one http.Server of a front, with the settings that it was made of.
type server struct {
	*http.Server

	settings config.Server
	// accepting is its listener, and stopped is closed when it accepts no more.
	accepting *accepting
	stopped   chan struct{}
	conns     atomic.Int64
}

// accepting is the listener of a front while a server uses it.
type accepting struct {
	listen.Listener

	accept    net.Listener
	transport func(net.Conn) net.Conn
	over      atomic.Bool
}

// Accept implements net.Listener.
func (a *accepting) Accept() (net.Conn, error) {
	conn, err := a.accept.Accept()
	if err != nil && a.over.Load() {
		return nil, net.ErrClosed
	}

	if err != nil {
		return nil, err
	}

	return a.transport(conn), nil
}

// Close implements net.Listener. The listener is the front's, and stays open.
func (a *accepting) Close() error {
	a.over.Store(true)

	// A time in the past ends Accept.
	return a.SetDeadline(past())
}

// past is a deadline that has passed.
func past() time.Time { return time.Unix(1, 0) }

// sameConnections reports whether connections are served the same with both settings.
func sameConnections(a, b config.Server) bool {
	return a.ReadHeaderTimeout == b.ReadHeaderTimeout && a.IdleTimeout == b.IdleTimeout && a.MaxHeaderBytes == b.MaxHeaderBytes &&
		a.MaxStreamsPerConnection == b.MaxStreamsPerConnection
}

// sameServer reports whether a server needs no other settings. With another timeout of requests, connections that are open only
// cost a little more: see edge.Deadlines.
func sameServer(a, b config.Server) bool {
	return sameConnections(a, b) && a.RequestTimeout == b.RequestTimeout
}

// start serves what the listener accepts. The settings are asked for once update would have an effect.
func (f *front) start(listener listen.Listener, settings func() config.Server) {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.listener = listener
	f.serve(settings())
}

// update makes a server for further connections, if there is one and the settings have changed.
func (f *front) update(settings config.Server) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if len(f.servers) == 0 {
		return
	}

	current := f.servers[len(f.servers)-1]
	if sameServer(current.settings, settings) {
		return
	}

	// What comes meanwhile waits in the backlog of the listener.
	if current.accepting.Close() != nil {
		return // The listener is closed: the gateway drains.
	}

	<-current.stopped

	if f.listener.SetDeadline(time.Time{}) == nil {
		f.serve(settings)
	}
}

func (f *front) serve(settings config.Server) {
	s := &server{
		Server: f.make(settings), settings: settings, stopped: make(chan struct{}),
		accepting: &accepting{Listener: f.listener, accept: f.accept, transport: f.transport},
	}

	state := s.ConnState
	s.ConnState = func(conn net.Conn, to http.ConnState) {
		s.count(to)
		state(conn, to)
	}

	f.servers = slices.DeleteFunc(f.servers, func(other *server) bool { return other.conns.Load() == 0 })
	f.servers = append(f.servers, s)

	go func() {
		defer close(s.stopped)

		if err := s.Serve(s.accepting); !s.accepting.over.Load() {
			f.failed(err)
		}
	}()
}

func (s *server) count(to http.ConnState) {
	switch to {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Add(-1)
	default:
	}
}

// address is where it listens, once it was started.
func (f *front) address() net.Addr { return f.listener.Addr() }

// stopAccepting closes the listener.
func (f *front) stopAccepting() {
	f.mu.Lock()
	defer f.mu.Unlock()

	// That it is closed already is no news.
	_ = f.listener.Close()
}

// shutdown waits for the requests, until the context ends; then it cuts them off.
func (f *front) shutdown(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()

	var (
		running sync.WaitGroup
		faults  = make([]error, len(f.servers))
	)

	for i, s := range f.servers {
		running.Go(func() {
			// That its listener is closed already is no news.
			if err := s.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
				faults[i] = errors.Join(fmt.Errorf("requests were cut off at the drain timeout: %w", err), s.Close())
			}
		})
	}

	running.Wait()

	return errors.Join(faults...)
}
