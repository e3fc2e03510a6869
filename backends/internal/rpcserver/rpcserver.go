// Package rpcserver is the gRPC server that all backends share: it refuses calls without an identity and requests against the rules
// of their protos, recovers panics, maps errors, logs calls, answers health checks and reflection, and stops gracefully within a
// bound.
//
// It knows no service: New gets a function that registers them.
package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

const (
	// maxMessageBytes is for one request, above what the gateway lets through.
	maxMessageBytes = 8 << 20
	// minPing is how often clients may ping. Ours do every 20 s, also without calls.
	minPing = 10 * time.Second
)

// Server serves gRPC on one listener, once: after Stop it stays stopped.
type Server struct {
	grpc     *grpc.Server
	health   *health.Server
	logger   *slog.Logger
	stopping context.Context //nolint:containedctx // The life of the server, not of a call: it ends when Stop begins.
	stop     context.CancelCauseFunc
}

// New builds a server with the services that register puts on it.
func New(logger *slog.Logger, register func(grpc.ServiceRegistrar)) *Server {
	stopping, stop := context.WithCancelCause(context.Background())
	s := &Server{health: health.NewServer(), logger: logger, stopping: stopping, stop: stop}
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		// Also when cut off: what the handlers use is closed after Stop.
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
	)

	register(s.grpc)

	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, healthv1.HealthCheckResponse_SERVING)
	}

	healthv1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)

	return s
}

// Serve answers calls until Stop. It closes the listener.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.grpc.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}

	return nil
}

// Stop turns the health to NOT_SERVING, ends what the server streams with UNAVAILABLE and lets calls with one answer finish; those
// that take longer than the bound are cut off. It returns when all handlers have returned. Calling it again does nothing.
func (s *Server) Stop(bound time.Duration) {
	s.health.Shutdown()
	s.stop(errStopping)

	force := time.AfterFunc(bound, s.grpc.Stop)
	defer force.Stop()

	s.grpc.GracefulStop()
}
