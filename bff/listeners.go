package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
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

// listenHealth listens for probes; nil if that is turned off.
func (g *Gateway) listenHealth(ctx context.Context) (net.Listener, error) {
	address := g.config().Health.Address
	if address == config.HealthOff {
		return nil, nil //nolint:nilnil // There is none.
	}

	listener, err := listen(ctx, "health.address", address)
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
func (g *Gateway) openSides(ctx context.Context) (admin, health side, err error) {
	admin.server, health.server = g.server(g.admin, g.config().Server), g.healthServer()
	admin.server.RegisterOnShutdown(g.console.Close)

	if admin.listener, err = g.listenAdmin(ctx); err != nil {
		return side{}, side{}, err
	}

	if health.listener, err = g.listenHealth(ctx); err != nil {
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
