package bff

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/edge/listen"
)

// The names of the listeners, in the log and in the metrics.
const (
	listenerServer = "server"
	listenerAdmin  = "admin"
	listenerHealth = "health"
)

// What the health listener allows. A probe is a small request, and its connection is closed after the response.
const (
	healthTimeout     = 5 * time.Second
	healthConnections = 100
	healthHeaderBytes = 4 << 10
)

// accepting returns the listener with failures that are logged and counted. That for clients leaves some file descriptors to all
// others.
func (g *Gateway) accepting(name string, listener net.Listener) net.Listener {
	settings := connection.Accepting{Name: name, Logger: g.with.logger, Failed: g.with.metrics.ObserveAcceptError}
	if name == listenerServer {
		settings.Spare = connection.SpareDescriptors()
		connection.WarnOfDescriptors(g.with.logger, g.config().Server.MaxConnections)
	}

	return connection.Accept(listener, settings)
}

// transport puts TLS on a connection of a client, over what a load balancer says of it first, if that is configured.
func (g *Gateway) transport(conn net.Conn) net.Conn {
	current := g.current()

	conn = current.proxied.Conn(conn)
	if current.listener != nil {
		return tls.Server(conn, current.listener)
	}

	return conn
}

// proxied says which connections of clients begin with a PROXY header.
func (c *Compiled) proxied(with opening) listen.Proxied {
	return listen.Proxied{
		From: listen.NewPeers(c.config.Server.ProxyProtocol.From), Timeout: c.config.Server.ReadHeaderTimeout,
		Refused: with.headers.Refused,
	}
}

// warnOfSockets logs which sockets of systemd are for nothing.
func (g *Gateway) warnOfSockets(sockets *listen.Systemd) {
	if unused := sockets.Unused(); len(unused) > 0 {
		g.with.logger.Warn("systemd has passed sockets that no address names (systemd:NAME)", "names", unused)
	}
}

// listenAdmin listens for operators; nil if that is turned off.
func (g *Gateway) listenAdmin(ctx context.Context, sockets *listen.Systemd) (net.Listener, error) {
	if g.config().Admin.Address == config.AdminOff {
		return nil, nil //nolint:nilnil // There is none.
	}

	return listen.Open(ctx, sockets, "admin.address", g.config().Admin.Address)
}

// listenHealth listens for probes; nil if that is turned off.
func (g *Gateway) listenHealth(ctx context.Context, sockets *listen.Systemd) (net.Listener, error) {
	address := g.config().Health.Address
	if address == config.HealthOff {
		return nil, nil //nolint:nilnil // There is none.
	}

	listener, err := listen.Open(ctx, sockets, "health.address", address)
	if err != nil {
		return nil, fmt.Errorf(`%w (another address can be set; "-" turns it off)`, err)
	}

	return listener, nil
}

// healthServer serves probes. Anyone may be able to connect to it, so it is bounded in every way.
func (g *Gateway) healthServer() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)

	s := &http.Server{
		Handler:        g.health,
		Protocols:      &protocols,
		ReadTimeout:    healthTimeout,
		WriteTimeout:   healthTimeout,
		MaxHeaderBytes: healthHeaderBytes,
		ErrorLog:       slog.NewLogLogger(g.with.logger.Handler(), slog.LevelDebug),
		ConnState:      connection.New(config.Server{MaxConnections: healthConnections}, nil).State,
	}
	s.SetKeepAlivesEnabled(false)

	return s
}

// side is a listener beside that for clients, and its server.
type side struct {
	listener net.Listener
	server   *http.Server
}

// openSides listens for operators and for probes, as far as that is configured.
func (g *Gateway) openSides(ctx context.Context, sockets *listen.Systemd) (admin, health side, err error) {
	admin.server, health.server = g.server(g.admin, g.config().Server), g.healthServer()
	admin.server.RegisterOnShutdown(g.console.Close)

	if admin.listener, err = g.listenAdmin(ctx, sockets); err != nil {
		return side{}, side{}, err
	}

	if health.listener, err = g.listenHealth(ctx, sockets); err != nil {
		return side{}, side{}, errors.Join(err, admin.close())
	}

	return admin, health, nil
}

// start serves in the background until stop, if there is a listener. An error goes to failed.
func (g *Gateway) start(name string, s side, failed chan<- error) {
	if s.listener != nil {
		go func() { failed <- s.server.Serve(g.accepting(name, s.listener)) }()
	}
}

// stop ends the server, and what is still being read from it after a grace.
func (s side) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, adminGrace)
	defer cancel()

	if err := s.server.Shutdown(ctx); err != nil {
		return s.server.Close()
	}

	// A server that was stopped before it began to serve leaves its listener to its goroutine.
	_ = s.close()

	return nil
}

func (s side) close() error {
	if s.listener == nil {
		return nil
	}

	return s.listener.Close()
}

// address is where it listens; "-": nowhere.
func (s side) address() string {
	if s.listener == nil {
		return config.AdminOff
	}

	return s.listener.Addr().String()
}
