package access_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// A client certificate stands for whom the configuration says, over HTTP/2 and HTTP/1.1, and a backend is reached over mTLS.
func TestTLSFromEndToEnd(t *testing.T) {
	t.Parallel()

	ca, dir := tlstest.NewCA(t), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	for _, name := range []string{"gateway", "backend"} {
		ca.Issue(t, file(name+".crt"), file(name+".key"), name, "")
	}

	ca.Issue(t, file("client.crt"), file("client.key"), "billing", "spiffe://prod/billing")

	backend := startTLSBackend(t, ca, file("backend.crt"), file("backend.key"))
	addresses := make(chan string, 1)

	s := gatewaytest.Start(t, func(c *config.Config) {
		c.Server.Address, c.Admin.Address, c.Health.Address = "127.0.0.1:0", config.AdminOff, config.HealthOff
		c.Server.DrainDelay = time.Millisecond
		c.Server.TLS = config.ServerTLS{CertFile: file("gateway.crt"), KeyFile: file("gateway.key"), ClientCAFile: ca.File}
		c.Auth.Certificates = []config.Certificate{{Name: "uri:spiffe://prod/billing", Subject: "alice", Scopes: []string{"orders:read"}}}
		c.Upstreams["shelf"] = config.Upstream{
			Addresses: []string{backend.Address},
			TLS:       config.UpstreamTLS{CAFile: ca.File, CertFile: file("gateway.crt"), KeyFile: file("gateway.key")},
		}
	}, bff.WithListening(func(server, _ net.Addr) { addresses <- server.String() }))

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- s.Gateway.Run(ctx) }()

	t.Cleanup(func() {
		stop()

		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	url := "https://" + <-addresses

	certificate, err := tls.LoadX509KeyPair(file("client.crt"), file("client.key"))
	if err != nil {
		t.Fatal(err)
	}

	for _, row := range []struct {
		name         string
		http2        bool
		certificates []tls.Certificate
		status       int
	}{
		{"http2", true, []tls.Certificate{certificate}, http.StatusOK},
		{"http1", false, []tls.Certificate{certificate}, http.StatusOK},
		{"without_a_certificate", true, nil, http.StatusUnauthorized},
	} {
		transport := &http.Transport{
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.Pool(), ServerName: "gateway", Certificates: row.certificates},
			ForceAttemptHTTP2: row.http2,
		}

		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/echo/x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}

		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}

		_ = res.Body.Close()

		transport.CloseIdleConnections()

		if res.StatusCode != row.status || (res.ProtoMajor == 2) != row.http2 || res.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %s %s", row.name, res.Proto, res.Status)
		}

		for _, c := range backend.TakeCalls() {
			checkMetadata(t, c)
		}
	}
}

// startTLSBackend starts a backend that demands the certificate of a client.
func startTLSBackend(t *testing.T, ca *tlstest.CA, certFile, keyFile string) *gatewaytest.Backend {
	t.Helper()

	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &gatewaytest.Backend{Address: listener.Addr().String(), Fail: map[string]error{}}
	server := grpc.NewServer(grpc.UnaryInterceptor(b.Unary), grpc.Creds(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, ClientCAs: ca.Pool(),
		ClientAuth: tls.RequireAndVerifyClientCert,
	})))
	shelfv1.RegisterShelfServiceServer(server, b)

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return b
}

// What is wrong with files is found before anything listens.
func TestTLSFilesAreCheckedAtTheStart(t *testing.T) {
	t.Parallel()

	file := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}

	for name, cfg := range map[string]config.Config{
		"server":   {Server: config.Server{TLS: config.ServerTLS{CertFile: file, KeyFile: file}}},
		"upstream": {Upstreams: map[string]config.Upstream{"user": {Addresses: []string{"u:1"}, TLS: config.UpstreamTLS{CAFile: file}}}},
		"api_keys": {Auth: config.Auth{APIKeys: config.APIKeys{File: file, ReloadInterval: time.Second}}},
		"internal": {Auth: config.Auth{Internal: config.InternalToken{Issuer: "x", KeyFile: file}}},
		"headers":  {Headers: config.Headers{Request: []string{"Authorization"}}},
	} {
		cfg.Auth.Disabled = name != "api_keys"

		if gw, err := bff.New(t.Context(), cfg); err == nil {
			t.Errorf("%s: it starts", name)

			_ = gw.Close()
		}
	}
}

// Once, tls.server_name counted for nothing with addresses: every call failed. What it names is verified, and is not the :authority.
func TestUpstreamServerNameWithAddresses(t *testing.T) {
	t.Parallel()

	ca, dir := tlstest.NewCA(t), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	ca.Issue(t, file("gateway.crt"), file("gateway.key"), "gateway", "")
	ca.Issue(t, file("user.crt"), file("user.key"), "user.internal", "")

	backend := startTLSBackend(t, ca, file("user.crt"), file("user.key"))
	_, port, _ := net.SplitHostPort(backend.Address)
	byName := "localhost:" + port // No name of the certificate.

	for name, row := range map[string]struct {
		address, serverName, authority string
		status                         int
		want                           string
	}{
		"server_name":        {byName, "user.internal", "", http.StatusOK, byName},
		"authority":          {byName, "", "user.internal", http.StatusOK, "user.internal"},
		"both":               {byName, "user.internal", "proxy:80", http.StatusOK, "proxy:80"},
		"neither":            {backend.Address, "", "", http.StatusOK, backend.Address},
		"wrong":              {backend.Address, "order.internal", "", http.StatusServiceUnavailable, ""},
		"wrong_by_authority": {backend.Address, "", "order.internal", http.StatusServiceUnavailable, ""},
		"wrong_by_address":   {byName, "", "", http.StatusServiceUnavailable, ""},
	} {
		s := gatewaytest.Start(t, func(c *config.Config) {
			c.Upstreams["shelf"] = config.Upstream{
				Addresses: []string{row.address}, Authority: row.authority,
				TLS: config.UpstreamTLS{
					CAFile: ca.File, CertFile: file("gateway.crt"), KeyFile: file("gateway.key"), ServerName: row.serverName,
				},
			}
		})

		if res := s.Do(t, http.MethodGet, "/v1/echo/x", s.As(t, "alice"), ""); res.Status != row.status {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}

		var got string
		for _, c := range backend.TakeCalls() {
			got += strings.Join(c.Metadata.Get(":authority"), " ")
		}

		if got != row.want {
			t.Errorf("%s: :authority %q, want %q", name, got, row.want)
		}
	}
}
