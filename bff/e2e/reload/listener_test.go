package reload_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// listening is a site that listens by Run.
type listening struct {
	*site

	address string
}

func startListening(t *testing.T, health string, change func(*config.Config)) listening {
	t.Helper()

	addresses := make(chan string, 1)
	s := start(t, func(c *config.Config) {
		c.Server.Address, c.Admin.Address, c.Health.Address = "127.0.0.1:0", "127.0.0.1:0", health
		c.Server.DrainDelay = time.Millisecond

		if change != nil {
			change(c)
		}
	}, bff.WithListening(func(server, _ net.Addr) { addresses <- server.String() }))

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- s.Gateway.Run(ctx) }()

	l := listening{site: s}

	select {
	case l.address = <-addresses:
	case err := <-ended:
		stop()
		t.Fatalf("run: %v", err)
	}

	t.Cleanup(func() {
		stop()

		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})

	return l
}

// get returns the status and whether the connection is closed after it. The body cannot be sent again, so that the client does not
// repeat a request.
func (l listening) get(t *testing.T, client *http.Client, scheme string) (status int, closes bool, err error) {
	t.Helper()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://"+l.address+"/v1/echo",
		struct{ io.Reader }{strings.NewReader(`{"text":"x"}`)})
	if err != nil {
		t.Fatal(err)
	}

	r.Header = l.As(t, "alice")
	r.Header.Set("Content-Type", "application/json")

	res, err := client.Do(r)
	if err != nil {
		return 0, false, err
	}
	defer res.Body.Close()

	_, err = io.Copy(io.Discard, res.Body)

	return res.StatusCode, res.Close, err
}

func clientOf(t *testing.T, ca *tlstest.CA, certificates ...tls.Certificate) *http.Client {
	t.Helper()

	transport := &http.Transport{}
	if ca != nil {
		transport.TLSClientConfig = &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: ca.Pool(), ServerName: "localhost", Certificates: certificates,
		}
	}

	t.Cleanup(transport.CloseIdleConnections)

	return &http.Client{Transport: transport}
}

// What holds for new connections alone does for all soon, and no request is lost on the way.
func TestConnectionsAreRenewedUnderLoad(t *testing.T) {
	t.Parallel()

	l := startListening(t, config.HealthOff, nil)
	ctx, cancel := context.WithCancel(t.Context())

	var (
		running sync.WaitGroup
		sent    atomic.Int64
	)

	for range 3 {
		running.Go(func() {
			client := clientOf(t, nil)

			for ctx.Err() == nil {
				if status, _, err := l.get(t, client, "http"); status != http.StatusOK {
					t.Errorf("%d %v", status, err)
				}

				sent.Add(1)
			}
		})
	}

	for round := range 10 {
		before := sent.Load()
		l.reload(t, func(c *config.Config) {
			c.Server.IdleTimeout += time.Duration(round) * time.Second
			c.Server.MaxStreamsPerConnection = 100 + round
		})
		gatewaytest.Eventually(t, "requests", func() bool { return sent.Load() > before+3 })
	}

	cancel()
	running.Wait()
}

func TestListenerSettingsChange(t *testing.T) {
	t.Parallel()

	var (
		l          = startListening(t, config.HealthOff, nil)
		ca, second = tlstest.NewCA(t), tlstest.NewCA(t)
		dir        = t.TempDir()
		file       = func(name string) string { return filepath.Join(dir, name) }
		plain      = clientOf(t, nil)
	)

	ca.Issue(t, file("gateway.crt"), file("gateway.key"), "localhost", "")
	ca.Issue(t, file("client.crt"), file("client.key"), "client", "spiffe://prod/client")

	shown, err := tls.LoadX509KeyPair(file("client.crt"), file("client.key"))
	if err != nil {
		t.Fatal(err)
	}

	want := func(what string, client *http.Client, scheme string, status int, closes bool) {
		t.Helper()

		got, closed, err := l.get(t, client, scheme)
		if got != status || closed != closes {
			t.Errorf("%s: %d, closes %v, %v; want %d, %v", what, got, closed, err, status, closes)
		}
	}
	encrypted := config.ServerTLS{CertFile: file("gateway.crt"), KeyFile: file("gateway.key")}

	want("before", plain, "http", http.StatusOK, false)

	l.reload(t, func(c *config.Config) { c.Server.TLS = encrypted })
	want("a connection from before", plain, "http", http.StatusOK, true)
	want("a connection without TLS", plain, "http", http.StatusBadRequest, true)

	anyone, known := clientOf(t, ca), clientOf(t, ca, shown)
	want("a connection with TLS", anyone, "https", http.StatusOK, false)

	mutual := encrypted
	mutual.ClientCAFile, mutual.ClientAuth = ca.File, config.ClientAuthRequired
	l.reload(t, func(c *config.Config) { c.Server.TLS = mutual })
	want("a connection from before", anyone, "https", http.StatusOK, true)
	want("a client without a certificate", anyone, "https", 0, false)
	want("a client with a certificate", known, "https", http.StatusOK, false)

	mutual.ClientCAFile = second.File
	l.reload(t, func(c *config.Config) { c.Server.TLS = mutual })
	want("a connection whose authority is not trusted any more", known, "https", http.StatusUnauthorized, true)
	want("another one", known, "https", 0, false)

	l.reload(t, func(*config.Config) {})
	want("without TLS again", plain, "http", http.StatusOK, false)
}
