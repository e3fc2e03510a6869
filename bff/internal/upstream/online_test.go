package upstream_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/nameserver"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// healthy serves its health, over TLS if there is a configuration.
func healthy(t *testing.T, status healthv1.HealthCheckResponse_ServingStatus, config *tls.Config) string {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var options []grpc.ServerOption
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}

	server, checks := grpc.NewServer(options...), health.NewServer()
	checks.SetServingStatus("", status)
	healthv1.RegisterHealthServer(server, checks)
	t.Cleanup(server.Stop)

	go func() { _ = server.Serve(listener) }()

	return listener.Addr().String()
}

func TestCheckOnline(t *testing.T) {
	t.Parallel()

	ca, other, dir := tlstest.NewCA(t), tlstest.NewCA(t), t.TempDir()
	load := func(ca *tlstest.CA, name string, end time.Time) tls.Certificate {
		cert, key := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
		ca.IssueFor(t, cert, key, name, time.Time{}, end)

		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}

		return pair
	}

	later := time.Now().Add(time.Hour)
	good := load(ca, "backend.test", later)
	secure := healthy(t, healthv1.HealthCheckResponse_SERVING, &tls.Config{Certificates: []tls.Certificate{good}})
	expired := healthy(t, healthv1.HealthCheckResponse_SERVING,
		&tls.Config{Certificates: []tls.Certificate{load(ca, "old.test", time.Now().Add(-time.Hour))}})
	mutual := healthy(t, healthv1.HealthCheckResponse_SERVING,
		&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()})
	serving, sick := healthy(t, healthv1.HealthCheckResponse_SERVING, nil), healthy(t, healthv1.HealthCheckResponse_NOT_SERVING, nil)

	page := httptest.NewUnstartedServer(http.NotFoundHandler())
	page.Config.Protocols = new(http.Protocols)
	page.Config.Protocols.SetUnencryptedHTTP2(true)
	page.Start()
	t.Cleanup(page.Close)

	_, port, _ := net.SplitHostPort(serving)
	names := nameserver.Start(t, "127.0.0.1")

	addresses := func(list ...string) upstream.Config {
		return upstream.Config{Upstream: config.Upstream{Addresses: list}}
	}
	target := func(text string) upstream.Config { return upstream.Config{Upstream: config.Upstream{Target: text}} }
	encrypted := func(address, name string, ca *tlstest.CA, show ...tls.Certificate) upstream.Config {
		c := addresses(address)
		c.Transport = func() *tls.Config { return &tls.Config{ServerName: name, RootCAs: ca.Pool(), Certificates: show} }

		return c
	}

	for name, row := range map[string]struct {
		config upstream.Config
		// want are the settings with what is found, and "!" before those of faults.
		want []string
	}{
		"plaintext":       {addresses(serving), []string{"addresses[0] plaintext; health SERVING"}},
		"no_health":       {addresses(start(t, named("a"))), []string{"addresses[0] no health service"}},
		"sick":            {addresses(serving, sick), []string{"addresses[0] SERVING", "!addresses[1] its health is NOT_SERVING"}},
		"nobody":          {addresses("127.0.0.1:1"), []string{"!addresses[0] connection refused"}},
		"unix":            {addresses("unix:" + filepath.Join(dir, "none.sock")), []string{"!addresses[0] no such file"}},
		"no_grpc":         {addresses(page.Listener.Addr().String()), []string{"!addresses[0] does not speak gRPC"}},
		"tls":             {encrypted(secure, "backend.test", ca), []string{"addresses[0] TLS 1.3 as backend.test, certificate valid until"}},
		"tls_by_address":  {encrypted(secure, "", ca), []string{"addresses[0] TLS 1.3 as 127.0.0.1"}},
		"wrong_authority": {encrypted(secure, "backend.test", other), []string{"!addresses[0] add that authority to tls.ca_file"}},
		"wrong_name":      {encrypted(secure, "other.test", ca), []string{"!addresses[0] valid for backend.test, not other.test"}},
		"expired":         {encrypted(expired, "old.test", ca), []string{"!addresses[0] expired"}},
		"no_tls":          {encrypted(serving, "", ca), []string{"!addresses[0] the backend may not use TLS"}},
		"tls_not_set":     {addresses(secure), []string{"!addresses[0] gRPC: "}},
		"no_certificate":  {encrypted(mutual, "backend.test", ca), []string{"!addresses[0] certificate required"}},
		"certificate":     {encrypted(mutual, "backend.test", ca, good), []string{"addresses[0] health SERVING"}},
		"name":            {target("dns://" + names.Address + "/" + nameserver.Name + ":" + port), []string{"target 127.0.0.1:" + port + ": plaintext"}},
		"unknown_name":    {target("dns://" + names.Address + "/none.test:1"), []string{"!target none.test"}},
		"passthrough":     {target("passthrough:///" + serving), []string{"target SERVING"}},
		"control_plane":   {target("xds:///a"), []string{"target control plane"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()

			found := upstream.CheckOnline(ctx, row.config)
			if len(found) != len(row.want) {
				t.Fatalf("got %+v, want %q", found, row.want)
			}

			for i, want := range row.want {
				want, faulty := strings.CutPrefix(want, "!")
				setting, text, _ := strings.Cut(want, " ")

				got := found[i].Text
				if found[i].Err != nil {
					got = found[i].Err.Error()
				}

				if found[i].Setting != setting || faulty != (found[i].Err != nil) || !strings.Contains(got, text) {
					t.Errorf("got %s: %s, want %q", found[i].Setting, got, row.want[i])
				}
			}
		})
	}
}

// With TLS 1.3 a backend refuses the certificate after the handshake. Once, a call that wrote meanwhile said only "broken pipe".
func TestRefusedCertificateIsNamed(t *testing.T) {
	t.Parallel()

	ca, dir := tlstest.NewCA(t), t.TempDir()
	cert, key := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	ca.Issue(t, cert, key, "backend.test", "")

	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = listener.Close() })

	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()

		_ = tls.Server(conn, &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), NextProtos: []string{"h2"},
		}).HandshakeContext(t.Context())

		// The others get no alert.
		for {
			other, err := listener.Accept()
			if err != nil {
				return
			}

			_ = other.Close()
		}
	}()

	c := upstream.Config{Upstream: config.Upstream{Addresses: []string{listener.Addr().String()}}}
	c.Transport = func() *tls.Config { return &tls.Config{ServerName: "backend.test", RootCAs: ca.Pool()} }

	found := upstream.CheckOnline(t.Context(), c)
	if len(found) != 1 || found[0].Err == nil || !strings.Contains(found[0].Err.Error(), "certificate required") {
		t.Errorf("got %+v", found)
	}
}

func TestCheckTarget(t *testing.T) {
	t.Parallel()

	for target, want := range map[string]string{
		"": "", "user.svc:9000": "", "dns:///user:9000": "", "unix:///a": "", "passthrough:///a:1": "",
		"dnss:///user:9000": `did you mean "dns"?`, "http://user:80": "there are dns, passthrough", "xds:///user": "-tags xds",
	} {
		if err := upstream.CheckTarget(target); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", target, err, want)
		}
	}
}
