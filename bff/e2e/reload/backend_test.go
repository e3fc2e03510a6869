package reload_test

import (
	"net"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// backend counts its connections and has long streams.
type backend struct {
	gatewaytest.FlakyBackend

	listener *counted
	// titles are sent to whoever lists books.
	titles chan string
}

func startBackend(t *testing.T) *backend {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &backend{
		FlakyBackend: gatewaytest.FlakyBackend{Backend: &gatewaytest.Backend{Address: listener.Addr().String()}},
		listener:     &counted{Listener: listener}, titles: make(chan string),
	}

	server := grpc.NewServer(grpc.UnaryInterceptor(b.Unary))
	userv1.RegisterUserServiceServer(server, b)
	orderv1.RegisterOrderServiceServer(server, b)
	profilev1.RegisterProfileServiceServer(server, b)
	paymentv1.RegisterPaymentServiceServer(server, b)
	shelfv1.RegisterShelfServiceServer(server, b)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(b.listener) }()

	t.Cleanup(server.Stop)

	return b
}

// ListBooks sends what the test wants to be sent.
func (b *backend) ListBooks(_ *shelfv1.ListBooksRequest, stream grpc.ServerStreamingServer[shelfv1.ListBooksResponse]) error {
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case title, more := <-b.titles:
			if !more {
				return nil
			}

			if err := stream.Send(&shelfv1.ListBooksResponse{Title: title}); err != nil {
				return err
			}
		}
	}
}

// UploadAvatar returns how many bytes arrived.
func (b *backend) UploadAvatar(stream grpc.ClientStreamingServer[profilev1.UploadAvatarRequest, profilev1.Avatar]) error {
	return gatewaytest.CountUpload(stream)
}

// counted counts connections.
type counted struct {
	net.Listener

	accepted, open atomic.Int64
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}

	c.accepted.Add(1)
	c.open.Add(1)

	return &countedConn{Conn: conn, listener: c}, nil
}

type countedConn struct {
	net.Conn

	listener *counted
	closed   atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.listener.open.Add(-1)
	}

	return c.Conn.Close()
}
