package bff

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// listens runs a gateway with a listener for clients until the end of the test.
func listens(t *testing.T, server config.Server) *Gateway {
	t.Helper()

	server.DrainDelay = time.Millisecond
	listening := make(chan struct{})

	g, err := New(t.Context(), config.Config{
		Server: server, Admin: config.Admin{Address: config.AdminOff}, Health: config.Health{Address: config.HealthOff},
		Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{"127.0.0.1:1"}}},
	}, WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"),
		WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Public: true}}),
		WithLogger(slog.New(slog.DiscardHandler)), WithListening(func(net.Addr, net.Addr) { close(listening) }))
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- g.Run(ctx) }()

	select {
	case <-listening:
	case err := <-ended:
		t.Fatal(err)
	}

	t.Cleanup(func() {
		stop()

		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	return g
}

func TestGatewayRespondsToItself(t *testing.T) {
	t.Parallel()

	dir, ca := t.TempDir(), tlstest.NewCA(t)
	secured := config.ServerTLS{
		CertFile: filepath.Join(dir, "crt"), KeyFile: filepath.Join(dir, "key"), ClientCAFile: ca.File, ClientAuth: config.ClientAuthRequired,
	}
	ca.Issue(t, secured.CertFile, secured.KeyFile, "gateway", "")

	everyone := config.ProxyProtocol{From: []string{"0.0.0.0/0", "::/0", config.UnixPeers}}

	for name, server := range map[string]config.Server{
		"plain":                        {Address: "127.0.0.1:0"},
		"all_addresses":                {Address: ":0"},
		"unix":                         {Address: "unix:" + filepath.Join(dir, "s")},
		"with_certificates_of_clients": {Address: "127.0.0.1:0", TLS: secured},
		"behind_a_balancer":            {Address: "127.0.0.1:0", ProxyProtocol: everyone},
		"unix_behind_a_balancer":       {Address: "unix:" + filepath.Join(dir, "t"), ProxyProtocol: everyone, TLS: secured},
		"without_room":                 {Address: "127.0.0.1:0", MaxConnections: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			g := listens(t, server)

			if name == "without_room" {
				occupy(t, g.front.address())
			}

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()

			if err := g.alive(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// Once, a gateway was ended that may not connect to its own socket, since systemd had opened it for others.
func TestConnectionThatIsNotPossibleSaysNothing(t *testing.T) {
	t.Parallel()

	for errno, want := range map[syscall.Errno]bool{
		syscall.EACCES: true, syscall.EPERM: true, syscall.EMFILE: true, syscall.ENFILE: true,
		syscall.ECONNREFUSED: false, syscall.ENOENT: false, syscall.EAGAIN: false, syscall.ETIMEDOUT: false,
	} {
		err := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", errno)}
		if saysNothing(err) != want {
			t.Errorf("%v: got %t", err, !want)
		}
	}
}

func occupy(t *testing.T, address net.Addr) {
	t.Helper()

	conn, err := (&net.Dialer{}).DialContext(t.Context(), address.Network(), address.String())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close() })
}

// The kernel still accepts connections for a process that hangs.
func TestGatewayThatDoesNotAcceptIsNotAlive(t *testing.T) {
	t.Parallel()

	for name, secured := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := config.Server{Address: "127.0.0.1:0"}
			if secured {
				dir := t.TempDir()
				server.TLS = config.ServerTLS{CertFile: filepath.Join(dir, "crt"), KeyFile: filepath.Join(dir, "key")}
				tlstest.NewCA(t).Issue(t, server.TLS.CertFile, server.TLS.KeyFile, "gateway", "")
			}

			g := listens(t, server)

			g.front.mu.Lock()
			accepts := g.front.servers[0]
			_ = accepts.accepting.Close()
			<-accepts.stopped
			g.front.mu.Unlock()

			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()

			if err := g.requestSelf(ctx); err == nil {
				t.Error("it is alive")
			}
		})
	}
}
