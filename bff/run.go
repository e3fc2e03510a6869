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
	server, err := listen(ctx, "server.address", g.compiled.config.Server.Address)
	if err != nil {
		return errors.Join(err, g.Close())
	}

	adminListener, err := g.listenAdmin(ctx)
	if err != nil {
		return errors.Join(err, server.Close(), g.Close())
	}

	failed := make(chan error, 2)

	public := g.publicServer()
	go func() { failed <- g.serve(public, server) }()

	operators := g.server(g.admin)

	if adminListener != nil {
		go func() { failed <- operators.Serve(adminListener) }()
	}

	g.tellListening(server, adminListener)

	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}

	ctx = context.WithoutCancel(ctx)

	err = errors.Join(err, g.drain(ctx, public, server), stopAdmin(ctx, operators), g.Close())

	// A server that was stopped before it began to serve leaves its listener to its goroutine.
	_ = server.Close()
	if adminListener != nil {
		_ = adminListener.Close()
	}

	return err
}

// serve serves clients, over TLS if that is configured.
func (g *Gateway) serve(public *http.Server, listener net.Listener) error {
	if g.tls == nil {
		return public.Serve(listener)
	}

	public.TLSConfig = g.tls

	return public.ServeTLS(listener, "", "")
}

func (g *Gateway) tellListening(server, adminListener net.Listener) {
	var adminAddr net.Addr
	if adminListener != nil {
		adminAddr = adminListener.Addr()
	}

	admin := config.AdminOff
	if adminAddr != nil {
		admin = adminAddr.String()
	}

	g.logger.Info("listening", "address", server.Addr().String(), "admin", admin)

	if g.compiled.options.listening != nil {
		g.compiled.options.listening(server.Addr(), adminAddr)
	}
}

func (g *Gateway) listenAdmin(ctx context.Context) (net.Listener, error) {
	if g.compiled.config.Admin.Address == config.AdminOff {
		return nil, nil //nolint:nilnil // There is none.
	}

	return listen(ctx, "admin.address", g.compiled.config.Admin.Address)
}

func listen(ctx context.Context, setting, address string) (net.Listener, error) {
	var lc net.ListenConfig

	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}

	return listener, nil
}

func (g *Gateway) server(handler http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	// Without TLS, clients that know beforehand speak HTTP/2 as well (RFC 9113, section 3.3).
	protocols.SetUnencryptedHTTP2(true)

	return &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		ReadHeaderTimeout: g.compiled.config.Server.ReadHeaderTimeout,
		IdleTimeout:       g.compiled.config.Server.IdleTimeout,
		MaxHeaderBytes:    g.compiled.config.Server.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.logger.Handler(), slog.LevelDebug),
	}
}

// publicServer is for clients, whose connections are bounded.
func (g *Gateway) publicServer() *http.Server {
	s := g.server(g)
	s.ConnState = g.connections.State
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return g.clients.Context(g.connections.Context(ctx, conn))
	}
	s.WriteTimeout = edge.WriteTimeout(g.compiled.config.Server.RequestTimeout)
	s.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: g.compiled.config.Server.MaxStreamsPerConnection, WriteByteTimeout: writeByteTimeout,
	}

	return s
}

// drain stops in steps. Clients that are at work notice during the delay that they should go elsewhere, and lose nothing. Only then
// are quiet connections closed: a request that crosses with that is lost, and HTTP/1.1 has no way to notify the client.
func (g *Gateway) drain(ctx context.Context, public *http.Server, listener net.Listener) error {
	g.logger.Info("draining", "delay", g.compiled.config.Server.DrainDelay, "timeout", g.compiled.config.Server.DrainTimeout)
	g.Drain()
	time.Sleep(g.compiled.config.Server.DrainDelay)

	ctx, cancel := context.WithTimeout(ctx, g.compiled.config.Server.DrainTimeout)
	defer cancel()

	// Nothing more is accepted.
	_ = listener.Close()

	g.awaitFirstRequests(ctx)

	// That its listener is closed already is no news.
	if err := public.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		return errors.Join(fmt.Errorf("requests were cut off at the drain timeout: %w", err), public.Close())
	}

	return nil
}

// awaitFirstRequests waits until every connection that was accepted has got its first request, or should have. net/http drops those
// that it reads during a shutdown.
func (g *Gateway) awaitFirstRequests(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, g.compiled.config.Server.ReadHeaderTimeout)
	defer cancel()

	tick := time.NewTicker(firstRequestsPoll)
	defer tick.Stop()

	for g.connections.Fresh() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func stopAdmin(ctx context.Context, operators *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, adminGrace)
	defer cancel()

	if err := operators.Shutdown(ctx); err != nil {
		return operators.Close()
	}

	return nil
}
