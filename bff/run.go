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
	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/edge/listen"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
)

// adminGrace bounds what is still being read from the admin listener at the end.
const adminGrace = time.Second

// firstRequestsPoll is how often is looked whether all connections have got their first request.
const firstRequestsPoll = 5 * time.Millisecond

// writeByteTimeout is how long a connection of HTTP/2 may read nothing of what is written to it. The deadlines of its streams do
// not help: what they would have to send waits behind the rest.
const writeByteTimeout = 10 * time.Second

// Run serves clients and operators on the configured addresses until the context ends. Then it drains: readiness fails, streams
// end, and responses ask clients to close their connections. After the drain delay no more connections are accepted, and accepted
// requests have the drain timeout to finish. Operators are served until then; the connections to the backends are closed last. The
// error is nil if every request that was accepted got its response.
func (g *Gateway) Run(ctx context.Context) error {
	var sockets listen.Systemd

	server, err := listen.Open(ctx, &sockets, "server.address", g.config().Server.Address)
	if err != nil {
		return errors.Join(err, g.Close())
	}

	operators, probes, err := g.openSides(ctx, &sockets)
	if err != nil {
		return errors.Join(err, server.Close(), g.Close())
	}

	failed := make(chan error, 3)

	g.front.make, g.front.transport = g.publicServer, g.transport
	g.front.failed = func(err error) {
		select {
		case failed <- err:
		default: // One reason to end is enough.
		}
	}
	g.front.accept = g.accepting(listenerServer, server)
	g.front.start(server, func() config.Server { return g.config().Server })

	g.start(listenerAdmin, operators, failed)
	g.start(listenerHealth, probes, failed)
	g.tellListening(server, operators, probes)
	g.warnOfSockets(&sockets)
	unwatch := g.tellReady(ctx)

	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}

	ctx = context.WithoutCancel(ctx)

	unwatch()
	g.tellStopping()

	err = errors.Join(err, g.drain(ctx), operators.stop(ctx), probes.stop(ctx), g.Close())

	return err
}

func (g *Gateway) tellListening(server net.Listener, admin, health side) {
	g.with.logger.LogAttrs(context.Background(), slog.LevelInfo, "listening", g.startAttrs(server, admin, health)...)

	if g.current().compiled.options.listening != nil {
		var address net.Addr
		if admin.listener != nil {
			address = admin.listener.Addr()
		}

		g.current().compiled.options.listening(server.Addr(), address)
	}
}

func (g *Gateway) server(handler http.Handler, settings config.Server) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	// Without TLS, clients that know beforehand speak HTTP/2 as well (RFC 9113, section 3.3).
	protocols.SetUnencryptedHTTP2(true)

	return &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		ReadHeaderTimeout: settings.ReadHeaderTimeout,
		IdleTimeout:       settings.IdleTimeout,
		MaxHeaderBytes:    settings.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.with.logger.Handler(), slog.LevelDebug),
	}
}

// publicServer is for clients, whose connections are bounded.
func (g *Gateway) publicServer(settings config.Server) *http.Server {
	s := g.server(g, settings)
	s.ConnState = g.with.connections.State
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return tlsfiles.Context(g.with.connections.Context(ctx, conn))
	}
	s.WriteTimeout = edge.WriteTimeout(settings.RequestTimeout)
	s.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: settings.MaxStreamsPerConnection, WriteByteTimeout: writeByteTimeout,
	}

	return s
}

// drain stops in steps. Clients that are at work notice during the delay that they should go elsewhere, and lose nothing. Only then
// are quiet connections closed: a request that crosses with that is lost, and HTTP/1.1 has no way to notify the client.
func (g *Gateway) drain(ctx context.Context) error {
	g.with.logger.Info("draining", "delay_ms", g.config().Server.DrainDelay.Milliseconds(),
		"timeout_ms", g.config().Server.DrainTimeout.Milliseconds())
	g.Drain()
	time.Sleep(g.config().Server.DrainDelay)

	ctx, cancel := context.WithTimeout(ctx, g.config().Server.DrainTimeout)
	defer cancel()

	g.front.stopAccepting()
	g.awaitFirstRequests(ctx)

	return g.front.shutdown(ctx)
}

// awaitFirstRequests waits until every connection that was accepted has got its first request, or should have. net/http drops those
// that it reads during a shutdown.
func (g *Gateway) awaitFirstRequests(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, g.config().Server.ReadHeaderTimeout)
	defer cancel()

	tick := time.NewTicker(firstRequestsPoll)
	defer tick.Stop()

	for g.with.connections.Fresh() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
